"""Predictive sparse decomposition: codes between two squares and a penalty, and a predictor."""

import pytest
import torch
from problems import F64, Net, generator, latent, randn
from sparse_support import objective, some, vectors
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, fit, methods
from ebmlab.energies import CodePrediction, Reconstruction, unit
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.inference import L1, Composite, LevenbergMarquardt, NonNegative, Proximal
from ebmlab.inference._solvers.composite import LinearComposite, composite_of
from ebmlab.networks import LISTA

WEIGHT, PULL = 0.3, 0.7
D, Y = unit(randn(12, 5)), randn(6, 5, seed=1)
ZERO = torch.zeros(1, 12, dtype=F64)


def psd(tolerance: float = 1e-10, pull: float = PULL) -> tuple[Method, Net]:
    encoder = Net(5, 12, seed=3)
    return methods.psd(D, encoder, WEIGHT, pull, steps=20_000, tolerance=tolerance), encoder


def codes(method: Method, y: Tensor) -> Tensor:
    assert isinstance(method.energy, FreeEnergy)
    return method.energy.posterior(None, y).atoms[0]


def total(d: Tensor, y: Tensor, z: Tensor, guess: Tensor) -> Tensor:
    return objective(d, y, z, WEIGHT) + PULL * (z - guess).square().sum(-1)


def test_codes_fulfill_the_conditions_of_optimality_of_both_squares():
    method, encoder = psd()
    z, guess = codes(method, Y), encoder(Y).detach()
    slope = 2 * (z @ D - Y) @ D.T + 2 * PULL * (z - guess)
    active = (slope + WEIGHT * z.sign()).abs()
    violation = torch.where(z != 0, active, (slope.abs() - WEIGHT).clamp(min=0))
    assert violation.max() < 1e-7
    assert 0.05 < (z != 0).double().mean() < 0.95
    # Control: without the pull of the guess the codes are others.
    plain = methods.sparse_coding(D, WEIGHT, steps=20_000, tolerance=1e-10)
    assert (codes(plain, Y) - z).abs().max() > 0.05
    torch.testing.assert_close(codes(psd(pull=0.0)[0], Y), codes(plain, Y), rtol=0, atol=1e-6)


def test_the_loss_trains_the_dictionary_and_the_encoder_at_the_codes_found():
    method, encoder = psd()
    z, loss = codes(method, Y), method(None, Y, generator())
    decoder = method.get_parameter("energy.energy.terms.0.decoder.weight")
    due = total(decoder.T, Y, z, encoder(Y)).mean()
    torch.testing.assert_close(loss.value, due)
    own = [decoder, *encoder.parameters()]
    torch.testing.assert_close(torch.autograd.grad(loss.value, own), torch.autograd.grad(due, own))
    assert not z.requires_grad
    assert method.encoder is encoder
    assert {id(p) for p in method.parameters()} == {id(p) for p in own}


def summed(decoder: nn.Module, *others: Energy, penalty: Energy | None = None) -> Energy:
    energy: Energy = Reconstruction(decoder, prior=penalty or L1(WEIGHT), takes_x=False)
    for other in others:
        energy = energy + other
    return energy


@pytest.mark.parametrize("bias", [True, False])
def test_squares_are_stacked_and_what_else_is_smooth_is_added(bias):
    decoder, net = nn.Linear(12, 5, bias=bias).double(), Net(5, 12)
    guess = CodePrediction(net, PULL)
    bowl = latent(lambda y, z: 0.2 * z.cosh().sum(-1) + y.sum(-1))
    z, shape = randn(2, 3, 12, seed=5), torch.Size([2, 3, 12])
    for others, linear in (
        ((), True),
        ((guess,), True),
        ((guess, 0.3 * guess, guess / 2.0), True),
        ((guess, bowl), False),
    ):
        energy = 0.5 * summed(decoder, *others) / 3.0 if guess in others else summed(decoder)
        u = composite_of(energy, None, Y[:3], shape)
        assert isinstance(u, LinearComposite) == linear
        assert isinstance(u, Composite)
        torch.testing.assert_close(u(z.reshape(-1, 12)), energy(None, Y[:3], z).flatten())


def test_the_stacked_way_and_the_general_one_find_the_same_codes():
    decoder = nn.Linear(12, 5, bias=False).double()
    solver = Proximal(ZERO, steps=20_000, tolerance=1e-10)
    fast = summed(decoder, CodePrediction(Net(5, 12), PULL))
    slow = summed(nn.Sequential(decoder), CodePrediction(Net(5, 12), PULL))
    torch.testing.assert_close(
        solver(fast, None, Y).atoms, solver(slow, None, Y).atoms, rtol=0, atol=1e-7
    )


def test_weights_move_into_both_parts():
    decoder, guess = nn.Linear(12, 5).double(), CodePrediction(Net(5, 12), PULL)
    solver = Proximal(ZERO, steps=20_000, tolerance=1e-12)

    def found(energy: Energy) -> Tensor:
        return solver(energy, None, Y).atoms[0]

    plain, twice = summed(decoder), CodePrediction(guess.encoder, 2 * PULL)
    general = summed(nn.Sequential(decoder))
    due = found(plain)
    for energy in (0.5 * plain, plain / 4.0, 0.2 * (3.0 * general), torch.tensor(7.0) * plain):
        torch.testing.assert_close(found(energy), due, rtol=0, atol=1e-7)
    # ½ (‖·‖² + R) + α ‖z - f‖² is half of ‖·‖² + R + 2 α ‖z - f‖².
    due = found(plain + twice)
    for energy in (0.5 * plain + guess, 0.5 * general + guess, 0.5 * (plain + 2.0 * guess)):
        torch.testing.assert_close(found(energy), due, rtol=0, atol=1e-7)
    assert (found(plain + guess) - due).abs().max() > 1e-2
    with pytest.raises(ConfigurationError, match="Proximal"):
        found(-1.0 * plain)


def test_sums_and_weights_of_squares_are_squares():
    decoder, guess = nn.Linear(3, 5).double(), CodePrediction(Net(5, 3), PULL)
    energy = 0.25 * Reconstruction(decoder, takes_x=False) / 2.0 + guess
    z = LevenbergMarquardt(ZERO[:, :3], tolerance=1e-12)(energy, None, Y).atoms[0]
    weight, target, f = decoder.weight.detach(), Y - decoder.bias, guess.predict(Y)
    left = 0.125 * weight.T @ weight + PULL * torch.eye(3, dtype=F64)
    due = torch.linalg.solve(left, (0.125 * target @ weight + PULL * f).T).T
    torch.testing.assert_close(z, due.detach())
    r = energy.residuals(None, Y, z)
    assert r is not None
    torch.testing.assert_close(r.square().sum(-1), energy(None, Y, z))
    for other in (-1.0 * energy, energy + latent(lambda y, z: z.cosh().sum(-1))):
        assert other.residuals(None, Y, z) is None


def test_two_penalties_are_no_smooth_part():
    decoder, solver = nn.Linear(12, 5).double(), Proximal(ZERO)
    first, second = (summed(decoder, penalty=p) for p in (L1(WEIGHT), NonNegative()))
    for energy in (first + second, first + 2.0 * second):
        with pytest.raises(ConfigurationError, match="Proximal"):
            solver(energy, None, Y)


def test_the_encoder_learns_to_guess_the_codes_of_digits():
    train, test = vectors()
    d = unit(some(train, 32))
    method = methods.psd(d, LISTA(d, 1, WEIGHT), WEIGHT)

    def error() -> float:
        z = codes(method, test)
        return float((method.encode(test) - z).detach().square().sum() / z.square().sum())

    before = error()
    run = fit(method, (None, train), steps=60, batch_size=250, lr=5e-3)
    assert run.history["value"][-1] < run.history["value"][0]
    # Measured: 0.30 before, 0.023 after.
    assert error() < 0.05 < 0.2 < before
    columns = method.get_parameter("energy.energy.terms.0.decoder.weight").norm(dim=0)
    torch.testing.assert_close(columns.detach(), torch.ones(32))


def test_a_code_prediction_is_a_weighted_distance_and_refuses_a_negative_weight():
    y, z, net = randn(3, 5), randn(4, 3, 2, seed=1), Net(5, 2)
    due = 0.6 * (z - net(y)).square().sum(-1)
    torch.testing.assert_close(CodePrediction(net, 0.6)(None, y, z), due)
    images = CodePrediction(nn.Sequential(nn.Flatten(), net), 0.6, y_ndim=2)
    torch.testing.assert_close(images(None, y[:, None], z), due)
    with pytest.raises(ConfigurationError, match="weight"):
        CodePrediction(net, -0.1)
