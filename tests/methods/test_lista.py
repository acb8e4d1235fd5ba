"""A network that unrolls ISTA: untrained it is ISTA, trained it is ahead of it."""

import warnings

import pytest
import torch
from problems import F64, generator, randn
from sparse_support import objective, some, vectors
from torch import Tensor

from ebmlab import FreeEnergy, fit, methods
from ebmlab.energies import unit
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import L1, Amortized, NotConvergedWarning, Proximal
from ebmlab.inference._solvers.composite import LinearComposite
from ebmlab.networks import LISTA

WEIGHT = 0.2


def soft(z: Tensor, threshold: Tensor | float) -> Tensor:
    return z.sign() * (z.abs() - threshold).clamp(min=0)


def ista(d: Tensor, y: Tensor, steps: int) -> Tensor:
    """Gradient steps of 1 / L and soft thresholds of λ / L, from zero."""
    curvature = 2 * torch.linalg.svdvals(d)[0] ** 2
    z = y.new_zeros(len(y), len(d))
    for _ in range(steps):
        z = soft(z - 2 * (z @ d - y) @ d.T / curvature, WEIGHT / curvature)
    return z


def stepped(d: Tensor, y: Tensor, steps: int, accelerate: bool = False) -> Tensor:
    """The same by the solver, which warns that it did not converge."""
    solver = Proximal(steps=steps, accelerate=accelerate, tolerance=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        u = LinearComposite(d.T, y, L1(WEIGHT))
        return solver.minimize(u, y.new_zeros(len(y), len(d))).argmin


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("sizes", [(12, 5), (4, 9)])
def test_untrained_it_is_ista(sizes, steps, shared):
    d, y = randn(*sizes), randn(6, sizes[1], seed=1)
    found = LISTA(d, steps, WEIGHT, shared=shared)(y)
    torch.testing.assert_close(found, ista(d, y, steps), rtol=0, atol=1e-12)
    torch.testing.assert_close(found, stepped(d, y, steps), rtol=0, atol=1e-10)
    # Control: one step more is elsewhere.
    assert (found - ista(d, y, steps + 1)).abs().max() > 1e-3


@pytest.mark.parametrize("shared", [True, False])
def test_every_layer_has_its_own_matrices_unless_they_are_shared(shared):
    net = LISTA(randn(4, 3), 3, WEIGHT, shared=shared)
    with torch.no_grad():
        for k, parameter in enumerate(net.parameters()):
            parameter.add_(0.3 * randn(*parameter.shape, seed=k))
    own = [0, 0, 0] if shared else [0, 1, 2]
    mutual = [0, 0, 0] if shared else [0, 0, 1]
    y = randn(5, 3, seed=9)
    z = torch.zeros(5, 4, dtype=F64)
    for k, (i, j) in enumerate(zip(own, mutual, strict=True)):
        push = z @ net.mutual[j].T if k else 0.0
        z = soft(push + y @ net.encode[i].T, net.threshold[i].abs())
    torch.testing.assert_close(net(y), z)
    due = torch.autograd.grad(z.square().sum(), list(net.parameters()))
    torch.testing.assert_close(
        torch.autograd.grad(net(y).square().sum(), list(net.parameters())), due
    )


def test_the_recipe_is_the_mean_objective_of_its_codes():
    d, y = unit(randn(12, 5)), randn(6, 5, seed=1)
    method = methods.lista(d, 3, WEIGHT)
    assert isinstance(method.energy, FreeEnergy)
    assert isinstance(method.energy.infer, Amortized)
    loss = method(None, y, generator())
    z = method.encode(y)
    decoder = method.get_parameter("energy.energy.decoder.weight")
    due = objective(decoder.T, y, z, WEIGHT).mean()
    torch.testing.assert_close(loss.value, due)
    own = list(method.parameters())
    torch.testing.assert_close(torch.autograd.grad(loss.value, own), torch.autograd.grad(due, own))
    with torch.no_grad():
        decoder *= 2
    torch.testing.assert_close(decoder.norm(dim=0), 2 * torch.ones(12, dtype=F64))
    loss.commit()
    torch.testing.assert_close(decoder.norm(dim=0), torch.ones(12, dtype=F64))


def test_three_trained_layers_are_ahead_of_ten_steps():
    train, test = vectors()
    d = unit(some(train, 64))
    method = methods.lista(d, 3, WEIGHT)
    method.get_submodule("energy.energy.decoder").requires_grad_(False)

    def reached(z: Tensor) -> float:
        return objective(d, test, z.detach(), WEIGHT).mean().item()

    assert reached(method.encode(test)) == pytest.approx(reached(ista(d, test, 3)), rel=1e-5)
    fit(method, (None, train), steps=120, batch_size=250, lr=3e-3)
    trained = reached(method.encode(test))
    # Measured: 0.499; 3, 10, 20 and 30 steps of ISTA reach 0.595, 0.525, 0.502 and 0.494, and the
    # minimum is 0.483.
    assert trained < reached(ista(d, test, 10)) < reached(ista(d, test, 3))
    assert trained > reached(stepped(d, test, 1000, accelerate=True))


def test_what_does_not_fit_is_refused():
    for atoms in (torch.zeros(3, 2), torch.ones(3), torch.full((2, 2), torch.nan)):
        with pytest.raises(ShapeError, match="atoms"):
            LISTA(atoms)
    with pytest.raises(ConfigurationError, match="steps"):
        LISTA(torch.eye(2), 0)
    with pytest.raises(ConfigurationError, match="weight"):
        LISTA(torch.eye(2), 1, -1.0)
