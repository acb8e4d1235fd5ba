"""Derivatives through an argmin: the implicit function's, unrolled ones and finite differences."""

import pytest
import torch
from problems import F64, Net, conditional, f64, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy
from ebmlab.energies import Gaussian, Reconstruction
from ebmlab.errors import ConfigurationError, GradientError
from ebmlab.inference import (
    LBFGS,
    Descent,
    Enumerate,
    HeavyBall,
    Implicit,
    LeastSquares,
    LevenbergMarquardt,
    Steepest,
    implicit,
)


def _bowl(weight: Tensor, b: Tensor):
    """½ ‖z‖² + log cosh of W z - b: strictly convex, with no closed form."""
    return lambda z: 0.5 * z.square().sum(-1) + (z @ weight.T - b).cosh().log().sum(-1)


def _parameters() -> tuple[Tensor, Tensor]:
    return randn(4, 3, seed=1).requires_grad_(), randn(5, 4, seed=2).requires_grad_()


@pytest.mark.parametrize("solver", [LBFGS(tolerance=1e-11), Descent(steps=2)], ids=str)
def test_the_implicit_derivative_is_that_of_finite_differences(solver):
    parameters = randn(2, 2, seed=1).requires_grad_(), randn(3, 2, seed=2).requires_grad_()

    def argmin(weight: Tensor, b: Tensor) -> Tensor:
        u = _bowl(weight, b)
        return implicit(u, solver.minimize(u, torch.zeros(3, 2, dtype=F64)).argmin)

    right = torch.autograd.gradcheck(argmin, parameters, atol=1e-5, raise_exception=False)
    # Control: the argmin of a descent of two steps is none, and has another derivative.
    assert right == isinstance(solver, LBFGS)


@pytest.mark.parametrize("direction", [Steepest(), HeavyBall(0.5)], ids=str)
def test_unrolled_steps_tend_to_the_implicit_derivative(direction):
    parameters, scale = _parameters(), randn(5, 3, seed=3)
    u = _bowl(*parameters)
    found = Descent(steps=150, direction=direction).minimize(
        u, torch.zeros(5, 3, dtype=F64), unroll=True
    )
    unrolled = torch.autograd.grad((scale * found.argmin).sum(), parameters)
    z = implicit(u, found.argmin)
    ours = torch.autograd.grad((scale * z).sum(), parameters)
    torch.testing.assert_close(ours, unrolled, rtol=1e-4, atol=1e-5)


def test_solvers_that_do_not_unroll_give_the_implicit_derivative():
    weight, b = _parameters()
    u = _bowl(weight, b)
    found = LBFGS().minimize(u, torch.zeros(5, 3, dtype=F64), unroll=True)
    expected = implicit(u, found.argmin.detach())
    for seed in range(2):
        scale = randn(5, 3, seed=seed)
        ours = torch.autograd.grad((scale * found.argmin).sum(), [weight, b], retain_graph=True)
        theirs = torch.autograd.grad((scale * expected).sum(), [weight, b], retain_graph=True)
        torch.testing.assert_close(ours, theirs)
    # min_z ‖W z - b‖² is W⁺ b.
    squares = LeastSquares(lambda z: z @ weight.T - b)
    fit = LevenbergMarquardt().minimize(squares, torch.zeros(5, 3, dtype=F64), unroll=True)
    exact = b @ torch.linalg.pinv(weight).T
    torch.testing.assert_close(fit.argmin, exact)
    torch.testing.assert_close(
        torch.autograd.grad(fit.argmin.square().sum(), [weight, b]),
        torch.autograd.grad(exact.square().sum(), [weight, b]),
        rtol=1e-6,
        atol=1e-6,
    )


def test_a_minimum_that_is_flat_or_a_saddle_is_named_and_damping_holds_it():
    b = f64([[1.0, 2.0], [0.5, 0.0]]).requires_grad_()

    def flat(z: Tensor) -> Tensor:
        return (z[:, 0] - b[:, 0]).square()

    z = torch.stack([b[:, 0].detach(), f64([7.0, 8.0])], 1)
    with pytest.raises(GradientError, match=r"row 0.*damping"):
        implicit(flat, z)
    held = implicit(flat, z, damping=1e-9)
    (grad,) = torch.autograd.grad(held.sum(), b)
    torch.testing.assert_close(grad, f64([[1.0, 0.0], [1.0, 0.0]]))
    with pytest.raises(GradientError, match="row 0"):
        implicit(lambda z: (z.square() * f64([1.0, -1.0])).sum(-1), torch.zeros(2, 2, dtype=F64))
    with pytest.raises(ConfigurationError, match="damping"):
        implicit(flat, z, damping=-1.0)


def _energy() -> Reconstruction:
    prior = Gaussian(torch.zeros(3, dtype=F64), torch.eye(3, dtype=F64))
    return Reconstruction(Net(5, 2), prior=prior)


def _gradients(loss: Tensor, energy: nn.Module, y: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, [*energy.parameters(), y])


def _move(tensors, ways, by: float) -> None:
    for tensor, way in zip(tensors, ways, strict=True):
        tensor.add_(way, alpha=by)


def _agree(value, tensors, grads, tolerance: float) -> None:
    """Whether gradients fit central differences of a number along three random directions."""
    step = 1e-5
    for seed in range(3):
        ways = [randn(*t.shape, seed=7 * seed + i) for i, t in enumerate(tensors)]
        ends = []
        with torch.no_grad():
            for shift in (step, -2 * step):
                _move(tensors, ways, shift)
                ends.append(float(value()))
            _move(tensors, ways, step)
        due = f64((ends[0] - ends[1]) / (2 * step))
        ours = sum((g * w).sum() for g, w in zip(grads, ways, strict=True))
        torch.testing.assert_close(ours, due, rtol=tolerance, atol=tolerance)


def test_free_energies_have_the_envelope_s_gradient_unrolled_or_not():
    energy, x, y = _energy(), randn(4, 2, seed=1), randn(4, 2, seed=2).requires_grad_()
    begin = randn(3, 3, seed=3)
    constant = FreeEnergy(energy, Descent(begin, steps=600))
    unrolled = FreeEnergy(energy, Descent(begin, steps=600, unroll=True))
    fast = FreeEnergy(energy, LBFGS(begin, tolerance=1e-10))
    ours = _gradients(constant(x, y).sum(), energy, y)
    for other in (unrolled, fast):
        torch.testing.assert_close(
            _gradients(other(x, y).sum(), energy, y), ours, rtol=1e-6, atol=1e-6
        )
    _agree(lambda: fast(x, y).sum(), [*energy.parameters(), y], ours, 1e-6)
    # Control: a gradient that is twice too large.
    with pytest.raises(AssertionError):
        _agree(lambda: 2 * fast(x, y).sum(), [*energy.parameters(), y], ours, 1e-6)


def test_losses_of_z_itself_need_the_implicit_derivative():
    energy, x, y = _energy(), randn(4, 2, seed=1), randn(4, 2, seed=2).requires_grad_()
    solver, scale = LBFGS(randn(2, 3, seed=3), tolerance=1e-11), randn(1, 4, 3, seed=4)

    def loss(infer) -> Tensor:
        return (scale * infer(energy, x, y).atoms).sum()

    ours = _gradients(loss(Implicit(solver)), energy, y)
    _agree(lambda: loss(solver), [*energy.parameters(), y], ours, 1e-5)
    best = Implicit(solver)(energy, x, y)
    unrolled = Descent(best.atoms.detach() + 0.1, steps=600, unroll=True)
    torch.testing.assert_close(_gradients(loss(unrolled), energy, y), ours, rtol=1e-4, atol=1e-5)
    assert not solver(energy, x, y).atoms.requires_grad
    with torch.no_grad():
        assert not Implicit(solver)(energy, x, y).atoms.requires_grad


def test_implicit_inference_refuses_temperatures():
    with pytest.raises(ConfigurationError, match="temperature must be 0"):
        Implicit(Enumerate(randn(3, 3)))(conditional(), randn(2, 2), randn(2, 2), 1.0)
