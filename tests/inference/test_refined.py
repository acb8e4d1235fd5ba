"""An encoder's guess, refined by a solver: where it starts, what it finds, what it trains."""

import pytest
import torch
from problems import F64, Net, conditional, f64, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import (
    L1,
    LBFGS,
    Amortized,
    Descent,
    Implicit,
    NotConvergedWarning,
    Proximal,
    Refined,
)


def linear(prior: L1 | None = None) -> Reconstruction:
    """‖W z - y‖² [+ R(z)] of y (4) and z (3)."""
    decoder = nn.Linear(3, 4, bias=False).double()
    with torch.no_grad():
        decoder.weight.copy_(randn(4, 3, seed=7))
    return Reconstruction(decoder, prior=prior, takes_x=False)


class Pair(nn.Module):
    """(mean, log_std) of y, the second far off."""

    def __init__(self, mean: nn.Module) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mean(y)
        return mean, mean + 100.0


def test_the_solver_starts_at_the_guess_of_each_datum():
    energy, y, guess = linear(), randn(5, 4), Net(4, 3, seed=3)
    step = 0.01
    for encoder in (guess, Pair(guess)):
        q = Refined(encoder, Descent(steps=1, step_size=step))(energy, None, y)
        start = guess(y).detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(None, y, start).sum(), start)
        torch.testing.assert_close(q.atoms[0], start.detach() - step * slope)
        # Control: from another guess the same step leads elsewhere.
        other = Refined(Net(4, 3, seed=5), Descent(steps=1, step_size=step))(energy, None, y)
        assert (other.atoms - q.atoms).abs().max() > 0.1


def test_the_minimum_is_that_of_least_squares_and_of_sparse_coding():
    y = randn(6, 4)
    energy = linear()
    q = Refined(Net(4, 3), LBFGS(tolerance=1e-10))(energy, None, y)
    weight = energy.get_parameter("decoder.weight").detach()
    due = torch.linalg.lstsq(weight, y.T).solution.T
    torch.testing.assert_close(q.atoms[0], due, rtol=0, atol=1e-7)
    assert (q.residual < 1e-7).all()
    sparse, zeros = linear(L1(0.8)), torch.zeros(1, 3, dtype=F64)
    solver = Proximal(zeros, steps=20_000, tolerance=1e-10)
    begun = Refined(Net(4, 3), solver)(sparse, None, y)
    torch.testing.assert_close(begun.atoms, solver(sparse, None, y).atoms, rtol=0, atol=1e-7)


def test_a_solver_is_not_changed_by_being_lent_a_start():
    solver = LBFGS(torch.zeros(2, 3, dtype=F64))
    Refined(Net(4, 3), solver)(linear(), None, randn(5, 4))
    assert torch.equal(solver.starts, torch.zeros(2, 3, dtype=F64))


def test_it_is_an_upper_bound_below_the_guess_itself():
    energy, x, y = conditional(), randn(4, 2, seed=1), randn(6, 2, seed=2)
    guess = Net(4, 3, seed=9)
    refined = FreeEnergy(energy, Refined(guess, LBFGS(tolerance=1e-6)))
    assert refined.bound == "upper"
    value = refined(x[:, None], y[None])
    assert value.shape == (4, 6)
    assert (value <= FreeEnergy(energy, Amortized(guess))(x[:, None], y[None])).all()


def test_first_gradients_are_those_of_the_energy_at_the_z_found():
    energy, y, guess = linear(), randn(5, 4), Net(4, 3)
    infer = Refined(guess, LBFGS(tolerance=1e-10))
    weight = energy.get_parameter("decoder.weight")
    (grad,) = torch.autograd.grad(FreeEnergy(energy, infer)(None, y).sum(), weight)
    z = infer(energy, None, y).atoms[0]
    torch.testing.assert_close(grad, 2 * (z @ weight.T - y).T @ z)
    free = FreeEnergy(energy, infer)(None, y).sum()
    own = list(guess.parameters())
    assert torch.autograd.grad(free, own, allow_unused=True) == (None, None)
    # Control: an encoder that is not refined is reached.
    amortized = FreeEnergy(energy, Amortized(guess))(None, y).sum()
    assert all(grad is not None for grad in torch.autograd.grad(amortized, own))


def test_its_z_may_carry_the_derivative_of_the_implicit_function():
    energy, y = linear(), randn(5, 4).requires_grad_()
    q = Implicit(Refined(Net(4, 3), LBFGS(tolerance=1e-10)))(energy, None, y)
    (grad,) = torch.autograd.grad(q.atoms[..., 1].sum(), y)
    inverse = torch.linalg.pinv(energy.get_parameter("decoder.weight").detach())
    torch.testing.assert_close(grad, inverse[1].expand(5, 4))


def test_what_does_not_fit_is_refused():
    energy, y = linear(), randn(5, 4)
    with pytest.raises(ConfigurationError, match="temperature must be 0"):
        Refined(Net(4, 3), LBFGS())(energy, None, y, 0.5)
    flat = nn.Sequential(Net(4, 3), nn.Flatten(0), nn.Unflatten(0, (5, 3, 1)))
    with pytest.raises(ShapeError):
        Refined(flat, LBFGS())(energy, None, y)
    with pytest.warns(NotConvergedWarning, match="LBFGS"):
        q = Refined(Net(4, 3), LBFGS(steps=1, tolerance=1e-14))(energy, None, y)
    assert (q.residual > 1e-3).any()


def test_an_unbatched_datum_has_one_z():
    q = Refined(nn.Linear(4, 3).double(), LBFGS())(linear(), None, f64([1.0, 2.0, 0.0, 1.0]))
    assert q.atoms.shape == (1, 3)
