"""Levenberg-Marquardt against SciPy row by row, its slopes against autograd, its refusals."""

import math

import pytest
import torch
from problems import F64, conditional, ellipse, f64, latent, randn
from solvers_support import Curves, counted, fitted, starts
from torch import Tensor, nn

from ebmlab import FreeEnergy
from ebmlab.energies import Cosine, Gaussian, Reconstruction, SquaredDistance
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.inference import (
    LBFGS,
    Enumerate,
    LeastSquares,
    LevenbergMarquardt,
    NotConvergedWarning,
)

MANY = 4


@pytest.mark.parametrize("seed", range(10))
def test_the_lowest_of_many_starts_is_scipy_s_row_by_row(seed):
    rows = 3
    problem = Curves(seed, rows)
    u = LeastSquares(problem.residuals())
    begin = torch.stack([starts(rows, problem.dim, 100 * seed + k) / 4 for k in range(MANY)])
    solver = LevenbergMarquardt()
    ours = torch.stack([solver.minimize(u, start).energy for start in begin]).amin(0)
    theirs = f64(
        [
            min(fitted(problem.residuals(slice(i, i + 1)), start[i])[0] for start in begin)
            for i in range(rows)
        ]
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", [(), (2,), (1, 2, 2)])
def test_residuals_are_linearized_as_autograd_does(shape):
    z = randn(3, *shape, seed=1)
    weight = randn(max(math.prod(shape), 1), 5, seed=2)

    def residuals(point: Tensor) -> Tensor:
        return (point.reshape(len(point), -1) @ weight).sin()

    r, slopes = LeastSquares(residuals).linearized(z)
    torch.testing.assert_close(r, residuals(z))
    for i in range(3):
        expected = torch.autograd.functional.jacobian(
            lambda point: residuals(point[None])[0], z[i]
        )
        torch.testing.assert_close(slopes[i], expected.reshape(5, -1))
    assert not slopes.requires_grad


def _valley(z: Tensor) -> Tensor:
    return torch.stack([10 * (z[:, 1] - z[:, 0] ** 2), 1 - z[:, 0]], 1)


def _powell(z: Tensor) -> Tensor:
    """Powell's singular function: JᵀJ has rank 2 at the minimum, 0."""
    a, b, c, d = z.unbind(1)
    return torch.stack(
        [a + 10 * b, 5**0.5 * (c - d), (b - 2 * c).square(), 10**0.5 * (a - d).square()], 1
    )


def test_known_valleys_are_followed_to_their_ends():
    found = LevenbergMarquardt().minimize(LeastSquares(_valley), starts(100, 2, 1))
    torch.testing.assert_close(found.argmin, torch.ones(100, 2, dtype=F64), rtol=0, atol=1e-6)
    flat = LevenbergMarquardt().minimize(LeastSquares(_powell), f64([[3.0, -1.0, 0.0, 1.0]]))
    assert float(flat.energy) < 1e-10


def test_linear_problems_take_one_gauss_newton_step():
    weight, target = randn(5, 3, seed=1), randn(20, 5, seed=2)
    u = LeastSquares(lambda z: z @ weight.T - target)
    found = LevenbergMarquardt(damping=0.0).minimize(u, randn(20, 3, seed=3))
    exact = torch.linalg.lstsq(weight, target.T).solution.T
    torch.testing.assert_close(found.argmin, exact)
    with pytest.warns(NotConvergedWarning):
        LevenbergMarquardt(steps=1, damping=1.0).minimize(u, randn(20, 3, seed=3))
    once = LevenbergMarquardt(steps=1, damping=0.0).minimize(u, randn(20, 3, seed=3))
    torch.testing.assert_close(once.argmin, exact)


def test_more_latents_than_residuals_are_held_by_the_damping():
    weight, target = randn(2, 5, seed=1), randn(10, 2, seed=2)
    u = LeastSquares(lambda z: (z @ weight.T).sinh() - target)
    for damping in (0.0, 1e-3):
        found = LevenbergMarquardt(damping=damping).minimize(u, torch.zeros(10, 5, dtype=F64))
        assert (found.energy < 1e-12).all()
    # An entry that no residual feels stays where it is.
    deaf = LeastSquares(lambda z: z[:, :1].exp() - 2)
    found = LevenbergMarquardt().minimize(deaf, f64([[0.0, 7.0]]))
    torch.testing.assert_close(found.argmin, f64([[math.log(2), 7.0]]))


def test_rows_are_independent_and_none_ends_above_its_start():
    problem = Curves(3, 6)
    begin = starts(6, problem.dim, 1)
    together = LevenbergMarquardt().minimize(LeastSquares(problem.residuals()), begin)
    assert (together.energy <= problem.residuals()(begin).square().sum(1)).all()
    for i in range(6):
        u = LeastSquares(problem.residuals(slice(i, i + 1)))
        alone = LevenbergMarquardt().minimize(u, begin[i : i + 1])
        torch.testing.assert_close(alone.argmin[0], together.argmin[i], rtol=0, atol=1e-7)


def test_the_residual_is_the_norm_of_the_gradient_and_is_warned_of():
    u, begin = LeastSquares(_valley), starts(20, 2, 1)
    with pytest.warns(NotConvergedWarning, match="residual") as caught:
        found = LevenbergMarquardt(steps=3).minimize(u, begin)
    assert len(caught) == 1
    energy, grad = u.value_and_grad(found.argmin)
    torch.testing.assert_close(found.residual, grad.norm(dim=1))
    torch.testing.assert_close(found.energy, energy)
    assert (found.residual > 1e-3).any()


def test_points_without_residuals_are_backed_off_from():
    u = LeastSquares(lambda z: z.log())
    found = LevenbergMarquardt().minimize(u, f64([[1e-3], [20.0], [1e4]]))
    torch.testing.assert_close(found.argmin, torch.ones(3, 1, dtype=F64), rtol=0, atol=1e-6)
    with pytest.raises(NonFiniteError, match="row 1"):
        LevenbergMarquardt().minimize(u, f64([[1.0], [-1.0]]))


def test_the_ellipse_is_inferred_as_its_fine_grid_does():
    energy, _ = ellipse()
    y = 2 * randn(3, 10, 2, seed=5)
    fine = torch.linspace(0, 2 * math.pi, 20_001, dtype=F64)[:, None]
    exact = FreeEnergy(energy, Enumerate(fine))(None, y)
    begin = torch.linspace(0, 2 * math.pi, 9, dtype=F64)[:-1, None]
    for solver in (LevenbergMarquardt(begin), LBFGS(begin)):
        free = FreeEnergy(energy, solver)
        torch.testing.assert_close(free(None, y), exact, rtol=0, atol=1e-6)
        assert free.bound == "upper"


def test_conditional_reconstructions_are_inferred_at_any_batch_and_by_parts():
    energy, begin = conditional(), randn(4, 3, seed=8)
    x, y = randn(3, 2, seed=1), randn(5, 2, seed=2)
    q = LevenbergMarquardt(begin)(energy, x[:, None], y[None])
    assert q.atoms.shape == (1, 3, 5, 3)
    parts = LevenbergMarquardt(begin, chunk=3)(energy, x[:, None], y[None])
    torch.testing.assert_close(parts.atoms, q.atoms)
    again = LevenbergMarquardt(begin).resume(q.atoms[0])(energy, x[:, None], y[None])
    torch.testing.assert_close(again.atoms, q.atoms)
    alone = LevenbergMarquardt(begin)(energy, x[1], y[4])
    free = energy(x[1], y[4], alone.atoms)
    torch.testing.assert_close(free[0], energy(x[1], y[4], q.atoms[:, 1, 4])[0], rtol=0, atol=1e-9)


def test_images_are_flattened_into_residuals():
    decoder = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (1, 3, 4))).double()
    energy = Reconstruction(decoder, SquaredDistance(ndim=3), takes_x=False)
    y = randn(4, 1, 3, 4, seed=3)
    q = LevenbergMarquardt(torch.zeros(1, 2, dtype=F64))(energy, None, y)
    linear = decoder[0]
    target = (y.flatten(1) - linear.bias).detach()
    exact = torch.linalg.lstsq(linear.weight.detach(), target.T).solution.T
    torch.testing.assert_close(q.atoms[0], exact, rtol=1e-6, atol=1e-6)


def test_it_stops_when_every_row_has_converged():
    residuals, calls = counted(_valley)
    LevenbergMarquardt(steps=1000).minimize(LeastSquares(residuals), starts(5, 2, 2))
    assert len(calls) < 60


def test_energies_without_residuals_are_refused():
    x, y = randn(2, 2), randn(2, 2)
    infer = LevenbergMarquardt(torch.zeros(1, 3, dtype=F64))
    prior = Gaussian(torch.zeros(3, dtype=F64), torch.eye(3, dtype=F64))
    decoder = conditional().decoder
    for energy in (
        latent(lambda y, z: (y.sum(-1) - z.sum(-1)).square()),
        Reconstruction(decoder, Cosine()),
        Reconstruction(decoder, prior=prior),
    ):
        with pytest.raises(ConfigurationError, match="needs residuals"):
            infer(energy, x, y)
    with pytest.raises(ConfigurationError, match="needs residuals"):
        infer.minimize(lambda z: z.square().sum(-1), torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"\(2, m\)"):
        infer.minimize(LeastSquares(lambda z: z.sum(-1)), torch.zeros(2, 3))


def test_arguments_are_refused():
    energy, x, y = conditional(), randn(2, 2), randn(2, 2)
    with pytest.raises(ConfigurationError, match="temperature must be 0"):
        LevenbergMarquardt(torch.zeros(1, 3, dtype=F64))(energy, x, y, 1.0)
    with pytest.raises(ConfigurationError, match="starts"):
        LevenbergMarquardt()(energy, x, y)
    for wrong in ({"steps": 0}, {"damping": -1.0}, {"damping": math.nan}, {"tolerance": 0.0}):
        with pytest.raises(ConfigurationError):
            LevenbergMarquardt(**wrong)
