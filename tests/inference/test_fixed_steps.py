"""Steps of one size against the closed form of where they lead on a quadratic."""

import pytest
import torch
from problems import F64, f64, randn

from ebmlab.errors import ConfigurationError, DivergenceError, NonFiniteError
from ebmlab.inference import FixedSteps, OneHot, Simplex, Sphere
from ebmlab.types import Potential

HESSIAN = f64([[3.0, 0.5], [0.5, 1.0]])
B, START = randn(6, 2, seed=1), randn(6, 2, seed=2)


def quadratic(a=HESSIAN, b=B):
    return Potential(lambda z: 0.5 * torch.einsum("ni,ij,nj->n", z - b, a, z - b))


@pytest.mark.parametrize("eta", [0.2, 0.9])
def test_they_lead_where_the_powers_of_one_matrix_say_even_uphill(eta):
    a, b, start = (t.clone().requires_grad_() for t in (HESSIAN, B, START))
    found = FixedSteps(eta, steps=3).minimize(quadratic(a, b), start, unroll=True)
    shrink = torch.eye(2, dtype=F64) - 0.5 * eta * (a + a.T)
    due = b + (start - b) @ torch.linalg.matrix_power(shrink, 3)
    torch.testing.assert_close(found.argmin, due)
    torch.testing.assert_close(found.energy, quadratic(a, b)(due))
    torch.testing.assert_close(found.residual, ((due - b) @ HESSIAN).norm(dim=1).detach())
    for of in (lambda z, e: (z * START).sum(), lambda z, e: e.sum()):
        got = torch.autograd.grad(of(found.argmin, found.energy), [a, b, start], retain_graph=True)
        ends = of(due, quadratic(a, b)(due))
        wanted = torch.autograd.grad(ends, [a, b, start], retain_graph=True)
        torch.testing.assert_close(got, wanted)
    assert bool((found.energy > quadratic()(START)).any()) == (eta == 0.9)
    plain = FixedSteps(eta, steps=3).minimize(quadratic(), START)
    torch.testing.assert_close(plain.argmin, due.detach())
    assert not plain.argmin.requires_grad


@pytest.mark.parametrize("space", [Sphere(2), Simplex(2)])
def test_they_stay_in_their_space(space):
    start = space.project(START)
    found = FixedSteps(0.4, steps=40, space=space).minimize(quadratic(), start)
    assert bool(space.contains(found.argmin).all())
    assert float(found.residual.max()) < 1e-3
    with pytest.raises(ConfigurationError, match="outside"):
        FixedSteps(0.4, space=space).minimize(quadratic(), 3 + START)


def test_what_they_cannot_do_is_told():
    with pytest.raises(ConfigurationError, match="finite"):
        FixedSteps(0.1, space=OneHot(2))
    with pytest.raises(ConfigurationError, match="step_size"):
        FixedSteps(0.0)
    with pytest.raises(NonFiniteError, match="row 0"):
        FixedSteps(0.1).minimize(Potential(lambda z: z.sum(1).log()), -START.abs())
    for u in (quadratic(), Potential(lambda z: -z.square().sum(1))):
        with pytest.raises(DivergenceError, match="smaller steps"):
            FixedSteps(1e200, steps=3).minimize(u, START)
