"""Proximal gradient: optimality, other solvers, rates, rows on their own, faults."""

import math

import pytest
import torch
from problems import F64, f64, randn
from torch import nn

from ebmlab import FreeEnergy
from ebmlab.energies import Gaussian, Reconstruction
from ebmlab.errors import ConfigurationError, DivergenceError, NonFiniteError, ShapeError
from ebmlab.inference import (
    L1,
    LBFGS,
    Box,
    Composite,
    Group,
    NonNegative,
    NotConvergedWarning,
    OnSimplex,
    Proximal,
)
from ebmlab.inference._solvers import fista
from ebmlab.inference._solvers.composite import LinearComposite
from ebmlab.types import Potential

PENALTIES = {
    "L1": lambda: L1(0.7),
    "L1, nonnegative": lambda: L1(0.7, nonnegative=True),
    "Group": lambda: Group(0.7, 2),
    "Box": lambda: Box(-0.3, 0.4),
    "NonNegative": lambda: NonNegative(),
    "OnSimplex": lambda: OnSimplex(),
}


def linear(penalty, n=7, m=5, dim=8):
    """‖W z - y‖² + R(z); m below dim / 2 makes the other form of the slope."""
    return LinearComposite(randn(m, dim), randn(n, m, seed=1), penalty)


def curved(penalty, n=7, dim=8):
    """A smooth convex f whose curvature differs from row to row by a factor of 10,000."""
    weight, target = randn(dim, dim), randn(n, dim, seed=1)
    scale = torch.logspace(-2, 2, n, dtype=F64)
    return Composite(lambda z: scale * torch.cosh(z @ weight / 3 - target).sum(-1), penalty)


def stationary(u, z, length=1e-3):
    """‖z - prox(z - t ∇f(z))‖ / t by autograd: 0 where z is a minimum of u, and nowhere else."""
    point = z.clone().requires_grad_()
    (grad,) = torch.autograd.grad(u.smooth(point).sum(), point)
    return (z - u.penalty.prox(z - length * grad, length)).norm(dim=1) / length


@pytest.mark.parametrize("make", [linear, lambda p: linear(p, m=3), curved])
@pytest.mark.parametrize("name", PENALTIES)
def test_every_row_ends_in_a_minimum(name, make):
    u = make(PENALTIES[name]())
    found = Proximal(steps=20_000).minimize(u, randn(7, 8, seed=2))
    assert (stationary(u, found.argmin) <= 1e-6 * (1 + found.energy)).all()
    torch.testing.assert_close(found.energy, u(found.argmin))
    # Control: a start is none.
    assert (stationary(u, u.penalty.prox(randn(7, 8, seed=2), 0.0)) > 1e-2).any()


def test_without_a_penalty_it_is_least_squares():
    weight, y = randn(9, 4), randn(6, 9, seed=1)
    found = Proximal(steps=5000).minimize(LinearComposite(weight, y, L1(0.0)), randn(6, 4))
    due = torch.linalg.lstsq(weight, y.T).solution.T
    torch.testing.assert_close(found.argmin, due, rtol=0, atol=1e-7)


def test_the_general_way_meets_the_linear_one_and_a_search_by_lbfgs():
    u = linear(L1(0.7))
    start = torch.zeros(7, 8, dtype=F64)
    one = Proximal(steps=20_000, tolerance=1e-10).minimize(u, start)
    other = Proximal(steps=20_000, tolerance=1e-10).minimize(Composite(u.smooth, L1(0.7)), start)
    torch.testing.assert_close(other.energy, one.energy, rtol=1e-12, atol=0)
    torch.testing.assert_close(other.argmin, one.argmin, rtol=0, atol=1e-8)

    # |z| as the smooth problem z = a - b of positive a and b = squares, by another solver.
    def split(ab):
        a, b = ab.square().unflatten(-1, (2, 8)).unbind(-2)
        return u.smooth(a - b) + 0.7 * (a + b).sum(-1)

    third = LBFGS(steps=5000, tolerance=1e-9).minimize(Potential(split), 0.5 + 0 * randn(7, 16))
    torch.testing.assert_close(third.energy, one.energy, rtol=1e-9, atol=0)


def evaluations(u, start, accelerate=True):
    infer = Proximal(steps=20_000, tolerance=1e-3, accelerate=accelerate)
    calls: list[int] = []

    def smooth(z):
        calls.append(len(z))
        return u.smooth(z)

    infer.minimize(Composite(smooth, u.penalty), start)
    return len(calls)


def test_momentum_with_restarts_beats_plain_steps_by_far():
    u, start = linear(L1(0.3), n=3, m=10, dim=12), torch.zeros(3, 12, dtype=F64)
    assert 3 * evaluations(u, start) < evaluations(u, start, accelerate=False)


@pytest.mark.parametrize("make", [linear, curved])
def test_a_row_does_not_depend_on_the_others(make):
    u = make(L1(0.3))
    start = randn(7, 8, seed=2)
    whole = Proximal().minimize(u, start)
    if isinstance(u, LinearComposite):
        alone = Proximal().minimize(LinearComposite(u.weight, u.target[:1], L1(0.3)), start[:1])
        torch.testing.assert_close(alone.argmin, whole.argmin[:1], rtol=1e-12, atol=1e-12)
    moved = start.clone()
    moved[1:] += 1
    torch.testing.assert_close(Proximal().minimize(u, moved).argmin[0], whole.argmin[0])


def test_rows_that_leave_a_full_tile_make_room_for_the_next(monkeypatch):
    u = LinearComposite(randn(5, 8), randn(100, 5, seed=1), L1(0.5))
    start = randn(100, 8, seed=2)
    at_once = Proximal(steps=5000).minimize(u, start)
    monkeypatch.setattr(fista, "TILE", {"cpu": 7})
    in_turn = Proximal(steps=5000).minimize(u, start)
    for one, other in zip(at_once, in_turn, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_no_row_ends_above_its_start_and_what_did_not_converge_is_said():
    u = linear(L1(0.01))
    start = Proximal(steps=50_000).minimize(u, torch.zeros(7, 8, dtype=F64)).argmin
    with pytest.warns(NotConvergedWarning, match="Proximal"):
        found = Proximal(steps=1, tolerance=1e-14).minimize(u, start)
    assert (found.energy <= u(start)).all()
    with pytest.warns(NotConvergedWarning):
        short = Proximal(steps=3).minimize(u, torch.zeros(7, 8, dtype=F64))
    assert (short.residual > 1e-3).any()
    assert (Proximal(steps=50_000).minimize(u, short.argmin).residual < 1e-6).all()


def test_the_residual_is_a_bound_of_the_proximal_gradient():
    u = linear(L1(0.3))
    with pytest.warns(NotConvergedWarning):
        found = Proximal(steps=30).minimize(u, torch.zeros(7, 8, dtype=F64))
    length = 1 / float(u.lipschitz())
    assert (stationary(u, found.argmin, length) <= found.residual * (1 + 1e-9)).all()


def test_the_compiled_steps_are_the_same():
    u, start = linear(L1(0.3), m=3), randn(7, 8, seed=2)
    plain, fast = (Proximal(steps=5000, compile=c).minimize(u, start) for c in (False, True))
    for one, other in zip(plain, fast, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    moved = LinearComposite(1.5 * u.weight, u.target + 1, u.penalty)
    plain, fast = (Proximal(steps=5000, compile=c).minimize(moved, start) for c in (False, True))
    torch.testing.assert_close(plain.argmin, fast.argmin, rtol=1e-9, atol=1e-9)


def energy_of(penalty=None, bias=True):
    decoder = nn.Linear(8, 5, bias=bias).double()
    with torch.no_grad():
        for k, p in enumerate(decoder.parameters()):
            p.copy_(randn(*p.shape, seed=k))
    return Reconstruction(decoder, prior=L1(0.5) if penalty is None else penalty, takes_x=False)


def test_the_penalty_is_counted_once_and_the_free_energy_is_the_whole():
    energy, y = energy_of(), randn(6, 5, seed=3)
    free = FreeEnergy(energy, Proximal(torch.zeros(1, 8, dtype=F64), steps=5000))
    z = free.posterior(None, y).atoms[0]
    whole = (energy.decoder(z) - y).square().sum(1) + 0.5 * z.abs().sum(1)
    torch.testing.assert_close(free(None, y), whole)
    # Lower than every neighbor; z that minimizes with another weight is not.
    near = energy(None, y, z + 1e-3 * randn(50, 6, 8, seed=4))
    assert (near >= whole - 1e-12).all()
    double = FreeEnergy(energy_of(L1(1.0)), Proximal(torch.zeros(1, 8, dtype=F64), steps=5000))
    assert (energy(None, y, double.posterior(None, y).atoms[0]) > whole + 1e-4).any()


def test_the_gradient_to_the_dictionary_is_that_of_finite_differences():
    energy, y = energy_of(), randn(4, 5, seed=3)
    start = torch.zeros(1, 8, dtype=F64)
    free = FreeEnergy(energy, Proximal(start, steps=20_000, tolerance=1e-10))
    weight, h = energy.get_parameter("decoder.weight"), 1e-5
    (grad,) = torch.autograd.grad(free(None, y).sum(), weight)
    for i, j in ((0, 0), (2, 3), (4, 7)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[i, j] += sign * h
                values.append(free(None, y).sum())
                weight[i, j] -= sign * h
        due = (values[0] - values[1]) / (2 * h)
        torch.testing.assert_close(grad[i, j], due, rtol=1e-5, atol=1e-6)


def test_unrolled_steps_carry_the_derivative_of_the_minimum():
    y = randn(3, 5, seed=1).requires_grad_()
    weight = randn(5, 4)

    def argmin(y):
        u = LinearComposite(weight, y, L1(0.4))
        return Proximal(steps=3000, tolerance=1e-10).minimize(
            u, torch.zeros(3, 4, dtype=F64), unroll=True
        )

    found = argmin(y)
    (grad,) = torch.autograd.grad(found.argmin[:, 0].sum(), y)
    h = torch.zeros_like(y)
    h[0, 2] = 1e-5
    with torch.no_grad():
        ahead, behind = (argmin(y + s * h).argmin[:, 0].sum() for s in (1, -1))
    torch.testing.assert_close(grad[0, 2], (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-7)


def test_other_energies_are_refused():
    start = torch.zeros(1, 8, dtype=F64)
    smooth = energy_of(Gaussian(torch.zeros(8, dtype=F64), torch.eye(8, dtype=F64)))
    for call in (
        lambda: Proximal(start)(smooth, None, randn(2, 5)),
        lambda: Proximal().minimize(Potential(lambda z: z.square().sum(-1)), start),
        lambda: Proximal()(energy_of(), None, randn(2, 5)),
        lambda: Proximal(start)(energy_of(), None, randn(2, 5), 1.0),
        lambda: Proximal(steps=0),
        lambda: Proximal(tolerance=0.0),
    ):
        with pytest.raises(ConfigurationError):
            call()
    with pytest.raises(ShapeError):
        LinearComposite(randn(5, 8), randn(3, 4), L1(0.1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_data_that_are_not_finite_are_named(value):
    y = randn(4, 5)
    y[2, 1] = value
    with pytest.raises(NonFiniteError, match="row 2"):
        Proximal(torch.zeros(1, 8, dtype=F64))(energy_of(), None, y)


def test_an_energy_without_a_floor_is_told():
    u = Composite(lambda z: -z.pow(4).sum(-1), Box(-math.inf, math.inf))
    with pytest.raises(DivergenceError):
        Proximal(steps=5000).minimize(u, torch.ones(2, 3, dtype=F64))


def test_a_wall_of_nan_is_backed_off_from():
    u = Composite(lambda z: (-z - (1.5 - z).log()).sum(-1), L1(0.1))
    found = Proximal(steps=5000).minimize(u, f64([[1.4], [0.0]]))
    assert (found.residual < 1e-6).all()
    assert found.argmin.isfinite().all()
