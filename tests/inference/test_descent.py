"""Descent against minima, envelopes and implicit gradients in closed form."""

import itertools
import math

import pytest
import torch
from inference_support import _Times
from problems import F64, conditional, f64, latent, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError, DivergenceError, GradientError, NonFiniteError
from ebmlab.inference import Descent, Enumerate
from ebmlab.types import Potential

HESSIAN = f64([[3.0, 0.5, 0.0], [0.5, 1.0, -0.2], [0.0, -0.2, 0.3]])


def _quadratic(target: Tensor) -> Potential:
    """½ (z - b)ᵀ A (z - b) + 7, row by row."""
    return Potential(
        lambda z: 0.5 * torch.einsum("ni,ij,nj->n", z - target, HESSIAN, z - target) + 7
    )


def test_descent_finds_the_minima_of_quadratics():
    target = randn(20, 3, seed=1)
    found = Descent(steps=400).minimize(_quadratic(target), 5 * randn(20, 3, seed=2))
    torch.testing.assert_close(found.argmin, target, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.energy, torch.full_like(found.energy, 7.0))


@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3)])
def test_events_of_any_shape_are_descended(shape):
    u = Potential(lambda z: (z - 1).square().reshape(len(z), -1).sum(1))
    for unroll in (False, True):
        found = Descent(steps=80).minimize(u, randn(5, *shape, seed=1), unroll=unroll)
        torch.testing.assert_close(found.argmin.detach(), torch.ones(5, *shape, dtype=F64))
        assert found.residual.shape == (5,)


def test_the_residual_is_the_norm_of_the_gradient_and_shrinks():
    target, start = randn(20, 3, seed=1), randn(20, 3, seed=2)
    residuals = []
    for steps in (5, 20, 80, 320):
        found = Descent(steps=steps).minimize(_quadratic(target), start)
        gradient = (found.argmin - target) @ HESSIAN
        torch.testing.assert_close(found.residual, gradient.norm(dim=1), rtol=1e-9, atol=1e-12)
        residuals.append(float(found.residual.max()))
    assert all(late < 0.5 * early for early, late in itertools.pairwise(residuals))
    assert residuals[-1] < 1e-6


@pytest.mark.parametrize("step_size", [1e-4, 0.1, 1e4])
def test_descent_never_ends_above_its_start(step_size):
    def rugged(z: Tensor) -> Tensor:
        return (z**4 / 10 + 3 * (5 * z).sin()).sum(-1)

    start = 4 * randn(200, 2, seed=3)
    for steps in (1, 3, 30):
        found = Descent(steps=steps, step_size=step_size).minimize(Potential(rugged), start)
        assert (found.energy <= rugged(start)).all()
        assert torch.equal(found.energy, rugged(found.argmin))
    assert (found.energy < rugged(start)).any()


def test_descent_stays_where_the_energy_ends():
    # Steps into NaN are not taken: √ has none below 0, and the minimum is at the edge.
    found = Descent(steps=200).minimize(
        Potential(lambda z: z.sqrt().sum(-1)), f64([[1.0], [4.0], [0.01]])
    )
    assert (found.argmin >= 0).all()
    assert (found.energy < 0.05).all()


def _rugged(y: Tensor, z: Tensor) -> Tensor:
    return ((y - z) ** 2 / 4 + 2 * (3 * z).cos() + 0.1 * z**2).sum(-1)


def test_many_starts_find_the_global_minimum_and_few_bound_it_from_above():
    y = torch.linspace(-3, 3, 41, dtype=F64)[:, None]
    energy = latent(_rugged)
    grid = torch.linspace(-6, 6, 24_001, dtype=F64)[:, None]
    exact = FreeEnergy(energy, Enumerate(grid))(None, y)
    many = torch.linspace(-6, 6, 25, dtype=F64)[:, None]
    free = FreeEnergy(energy, Descent(many, steps=200))
    torch.testing.assert_close(free(None, y), exact, rtol=0, atol=1e-6)
    assert (free.posterior(None, y).residual < 1e-5).all()
    few = FreeEnergy(energy, Descent(f64([[3.0]]), steps=200))(None, y)
    assert (few >= exact - 1e-6).all()
    assert (few > exact + 0.5).any()
    assert free.bound == "upper"


def test_the_gradient_of_a_descended_energy_is_the_envelope_theorem_s():
    # min_z ‖y - W z‖² = yᵀ (1 - P) y with P the projector on W's range.
    w = nn.Parameter(randn(3, 2, seed=4))
    energy = Reconstruction(_Times(w), takes_x=False)
    y = randn(6, 3, seed=5).requires_grad_()
    free = FreeEnergy(energy, Descent(torch.zeros(1, 2, dtype=F64), steps=400))
    projector = w @ torch.linalg.inv(w.T @ w) @ w.T
    expected = y.square().sum(1) - torch.einsum("ni,ij,nj->n", y, projector, y)
    torch.testing.assert_close(free(None, y), expected, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(
        torch.autograd.grad(free(None, y).sum(), [w, y]),
        torch.autograd.grad(expected.sum(), [w, y]),
        rtol=1e-6,
        atol=1e-6,
    )


def test_unrolled_descent_has_the_gradient_of_the_implicit_function():
    # argmin of ½ zᵀ A z - bᵀ z is A⁻¹ b.
    hessian, b = nn.Parameter(HESSIAN.clone()), nn.Parameter(randn(4, 3, seed=6))
    u = Potential(
        lambda z: 0.5 * torch.einsum("ni,ij,nj->n", z, hessian, z) - torch.einsum("ni,ni->n", b, z)
    )
    start = torch.zeros(4, 3, dtype=F64)
    found = Descent(steps=300).minimize(u, start, unroll=True)
    exact = torch.linalg.solve(0.5 * (hessian + hessian.T), b.T).T
    scale = randn(4, 3, seed=7)
    ours = torch.autograd.grad((found.argmin * scale).sum(), [hessian, b])
    theirs = torch.autograd.grad((exact * scale).sum(), [hessian, b])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    plain = Descent(steps=300).minimize(u, start)
    assert not plain.argmin.requires_grad
    torch.testing.assert_close(plain.argmin, found.argmin.detach())


def test_unrolled_descent_reaches_its_start_too():
    # One accepted step of size η on ½ z²: z' = (1 - η) z.
    start = f64([[2.0], [-1.0]]).requires_grad_()
    u = Potential(lambda z: 0.5 * z.square().sum(-1))
    found = Descent(steps=1, step_size=0.25).minimize(u, start, unroll=True)
    torch.testing.assert_close(found.argmin, 0.75 * start)
    (grad,) = torch.autograd.grad(found.argmin.sum(), start)
    torch.testing.assert_close(grad, torch.full_like(start, 0.75))


def test_descended_rows_are_independent():
    target, start = randn(8, 3, seed=1), randn(8, 3, seed=2)
    scales = 10 ** torch.linspace(-3, 3, 8, dtype=F64)

    def scaled(rows: slice) -> Potential:
        return Potential(lambda z: scales[rows] * (z - target[rows]).pow(4).sum(-1))

    together = Descent(steps=40).minimize(scaled(slice(None)), start)
    for i in range(8):
        alone = Descent(steps=40).minimize(scaled(slice(i, i + 1)), start[i : i + 1])
        torch.testing.assert_close(alone.argmin[0], together.argmin[i], rtol=0, atol=0)


def test_descent_infers_the_same_z_for_a_datum_alone_and_in_any_batch():
    energy, infer = conditional(), Descent(randn(4, 3, seed=8), steps=10)
    x, y = randn(3, 2, seed=1), randn(5, 2, seed=2)
    q = infer(energy, x[:, None], y[None])
    assert q.atoms.shape == (1, 3, 5, 3)
    alone = infer(energy, x[1], y[4])
    torch.testing.assert_close(alone.atoms[:, :], q.atoms[:, 1, 4])
    torch.testing.assert_close(alone.residual, q.residual[1, 4])
    each = [Descent(s[None], steps=10)(energy, x[1], y[4]) for s in infer.starts]
    best = min(each, key=lambda p: float(energy(x[1], y[4], p.atoms).detach()))
    torch.testing.assert_close(best.atoms, alone.atoms)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [2, 4])
def test_an_energy_unbounded_below_is_no_minimum(power, dtype):
    sign = torch.tensor([0.5, -0.5, 0.5], dtype=dtype)
    start = torch.tensor([[-1.0], [1.0], [-2.0]], dtype=dtype)
    with pytest.raises(DivergenceError, match=r"row 1.*without bound"):
        Descent().minimize(Potential(lambda z: sign * z[:, 0] ** power), start)
    held = Descent().minimize(Potential(lambda z: z[:, 0] ** power), start)
    assert (held.energy < 1e-3).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_start_without_an_energy_is_named(bad):
    u = Potential(lambda z: z.square().sum(-1) + torch.where(z[:, 0] > 5, bad, 0.0))
    with pytest.raises(NonFiniteError, match="row 2"):
        Descent().minimize(u, f64([[1.0], [2.0], [6.0]]))


def test_descent_refuses_temperatures_and_missing_starts():
    energy, x, y = conditional(), randn(2, 2), randn(2, 2)
    with pytest.raises(ConfigurationError, match="temperature must be 0"):
        Descent(torch.zeros(1, 3, dtype=F64))(energy, x, y, 1.0)
    with pytest.raises(ConfigurationError, match="starts"):
        Descent()(energy, x, y)
    for wrong in ({"steps": 0}, {"step_size": 0.0}, {"step_size": math.nan}):
        with pytest.raises(ConfigurationError):
            Descent(**wrong)


@pytest.mark.parametrize("unroll", [False, True])
def test_an_energy_cut_off_from_z_is_named(unroll):
    silent = Potential(lambda z: z.detach().square().sum(-1))
    with pytest.raises(GradientError, match="carries no gradient"):
        Descent(steps=2).minimize(silent, torch.ones(2, 2), unroll=unroll)
