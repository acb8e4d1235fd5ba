"""Free energies against logsumexp, an integral known in closed form, and the lecture's numbers."""

import math
import pickle

import pytest
import torch
from problems import F64, conditional, ellipse, f64, generator, latent, log_integral, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.energies import MLP, Gaussian, Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.inference import Amortized, Descent, Enumerate


def _by_logsumexp(energies: Tensor, temperature: float, weights: Tensor | None = None) -> Tensor:
    """-T log Σ_k w_k exp(-E_k / T) of energies (k, *batch)."""
    if weights is None:
        weights = torch.ones(len(energies), dtype=F64)
    log_weights = (weights / weights.sum()).log().reshape(-1, *[1] * (energies.ndim - 1))
    return -temperature * (log_weights - energies / temperature).logsumexp(0)


def _atoms(k: int = 9) -> Tensor:
    return randn(k, 3, seed=9)


@pytest.mark.parametrize("weights", [None, f64([1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 0.1, 1.0, 1.0])])
@pytest.mark.parametrize("temperature", [1e-6, 0.1, 1.0, 30.0, 1e6])
def test_the_value_is_minus_t_log_mean_exp(temperature, weights):
    energy, x, y = conditional(), randn(7, 2, seed=1), randn(7, 2, seed=2)
    free = FreeEnergy(energy, Enumerate(_atoms(), weights), temperature)
    expected = _by_logsumexp(energy(x, y, _atoms()[:, None].expand(9, 7, 3)), temperature, weights)
    # Both sides lose digits by T / E, where the entropy is a small difference of large terms.
    torch.testing.assert_close(free(x, y), expected, rtol=1e-12, atol=1e-12 * max(1, temperature))
    assert free.bound == "exact"


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_gradients_equal_autograd_through_logsumexp(temperature):
    energy = conditional()
    x, y = randn(7, 2, seed=1).requires_grad_(), randn(7, 2, seed=2).requires_grad_()
    atoms, weights = nn.Parameter(_atoms()), torch.arange(9, dtype=F64)
    infer = Enumerate(atoms, weights)
    free = FreeEnergy(energy, infer, temperature)
    wanted = [x, y, infer.atoms, *energy.parameters()]
    expected = _by_logsumexp(
        energy(x, y, infer.atoms[:, None].expand(9, 7, 3)), temperature, weights
    )
    scale = randn(7, seed=3)
    ours = torch.autograd.grad((free(x, y) * scale).sum(), wanted)
    theirs = torch.autograd.grad((expected * scale).sum(), wanted)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_second_derivatives_equal_those_of_logsumexp():
    energy, x, y = conditional(), randn(2, seed=1), randn(2, seed=2)
    free = FreeEnergy(energy, Enumerate(_atoms()), 0.3)

    def plain(y: Tensor) -> Tensor:
        return _by_logsumexp(energy(x, y, _atoms()), 0.3)

    ours = torch.autograd.functional.hessian(lambda y: free(x, y), y)
    theirs = torch.autograd.functional.hessian(plain, y)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_at_zero_temperature_it_is_the_minimum_and_its_gradient():
    energy, x, y = conditional(), randn(7, 2, seed=1), randn(7, 2, seed=2).requires_grad_()
    table = energy(x, y, _atoms()[:, None].expand(9, 7, 3))
    lowest = table.amin(0)
    free = FreeEnergy(energy, Enumerate(_atoms()))
    torch.testing.assert_close(free(x, y), lowest)
    torch.testing.assert_close(
        torch.autograd.grad(free(x, y).sum(), [y, *energy.parameters()]),
        torch.autograd.grad(lowest.sum(), [y, *energy.parameters()], retain_graph=True),
    )
    # 0 <= F - min E <= T log K
    for t in (1.0, 0.1, 0.01, 1e-3):
        gap = (FreeEnergy(energy, Enumerate(_atoms()), t)(x, y) - lowest).detach()
        assert ((gap > -1e-12) & (gap < t * math.log(9) + 1e-12)).all()
    best = free.posterior(x, y).atoms[0]
    assert torch.equal(best, _atoms()[table.argmin(0)])


@pytest.mark.parametrize("temperature", [0.0, 1e-6, 0.5, 1e6])
def test_an_atom_of_no_weight_does_not_exist(temperature):
    energy, x, y = conditional(), randn(7, 2, seed=1), randn(7, 2, seed=2).requires_grad_()
    table = energy(x, y, _atoms()[:, None].expand(9, 7, 3))
    dead = int(table.mean(1).argmin())
    weights = torch.ones(9, dtype=F64).index_fill_(0, torch.tensor([dead]), 0.0)
    without = torch.cat([_atoms()[:dead], _atoms()[dead + 1 :]])
    pruned = FreeEnergy(energy, Enumerate(_atoms(), weights), temperature)
    plain = FreeEnergy(energy, Enumerate(without), temperature)
    tolerance = {"rtol": 1e-9, "atol": 1e-9 * max(1.0, temperature)}
    torch.testing.assert_close(pruned(x, y), plain(x, y), **tolerance)
    for grads in zip(
        torch.autograd.grad(pruned(x, y).sum(), [y, *energy.parameters()]),
        torch.autograd.grad(plain(x, y).sum(), [y, *energy.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(*grads, rtol=1e-8, atol=1e-8)
    assert not torch.allclose(
        plain(x, y), FreeEnergy(energy, Enumerate(_atoms()), temperature)(x, y), atol=1e-6, rtol=0
    ) or (temperature == 1e6)


@pytest.mark.parametrize("temperature", [0.0, 1e-6, 1.0, 1e6])
def test_any_temperature_is_finite_in_single_precision(temperature):
    energy = conditional().float()
    x, y = randn(7, 2, seed=1).float(), randn(7, 2, seed=2).float().requires_grad_()
    free = FreeEnergy(energy, Enumerate(_atoms().float()), temperature)
    value = free(x, y)
    exact = FreeEnergy(conditional(), Enumerate(_atoms()), temperature)(x.double(), y.double())
    torch.testing.assert_close(value, exact.float(), rtol=1e-5, atol=1e-6 * max(1.0, temperature))
    grads = torch.autograd.grad(value.sum(), [y, *energy.parameters()])
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("temperature", [0.0, 1e-3, 1.0, 100.0])
def test_an_atom_of_infinite_energy_does_no_harm(temperature):
    def walled(y: Tensor, z: Tensor) -> Tensor:
        inside = (z.abs() < 2).all(-1)
        return torch.where(inside, (y - z).square().sum(-1), torch.inf)

    atoms = f64([[-1.0], [3.0], [1.0]])
    y = randn(5, 1, seed=1).requires_grad_()
    value = FreeEnergy(latent(walled), Enumerate(atoms), temperature)(None, y)
    table = (y - f64([-1.0, 1.0])).square().mT
    if temperature:
        expected = _by_logsumexp(table, temperature) + temperature * math.log(3 / 2)
    else:
        expected = table.amin(0)
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        torch.autograd.grad(value.sum(), y), torch.autograd.grad(expected.sum(), y)
    )


def test_the_posterior_is_bayes_rule_and_its_information_the_divergence():
    energy, x, y = conditional(), randn(7, 2, seed=1), randn(7, 2, seed=2)
    prior = torch.arange(9, dtype=F64) / 36
    q = FreeEnergy(energy, Enumerate(_atoms(), prior), 0.7).posterior(x, y)
    table = energy(x, y, _atoms()[:, None].expand(9, 7, 3))
    joint = prior[:, None] * (-table / 0.7).exp()
    expected = joint / joint.sum(0)
    torch.testing.assert_close(q.weights, expected)
    each = torch.distributions.kl_divergence(
        torch.distributions.Categorical(expected[1:].T), torch.distributions.Categorical(prior[1:])
    )
    torch.testing.assert_close(q.information, each)
    assert torch.equal(q.residual, torch.zeros(7, dtype=F64))


BY_BETA = {0.1: 3.106, 0.3: 3.068, 1.0: 2.942, 3.2: 2.680, 10.0: 2.449, math.inf: 2.25}


def _ellipse_free(beta: float, w: tuple[float, float] = (2.0, 1.5), sign: float = 1.0) -> Energy:
    energy, atoms = ellipse(w)
    return FreeEnergy(energy if sign > 0 else sign * energy, Enumerate(atoms), 1 / beta)


def _at_origin(sign: float) -> list[float]:
    origin = torch.zeros(2, dtype=F64)
    return [float(_ellipse_free(beta, sign=sign)(None, origin).detach()) for beta in BY_BETA]


def test_the_ellipse_at_the_origin_has_the_lecture_s_numbers():
    assert _at_origin(1.0) == pytest.approx(list(BY_BETA.values()), abs=5e-4)


@pytest.mark.parametrize("w", [(2.0, 1.5), (0.3, 1.0), (0.0, 0.0)])
@pytest.mark.parametrize("beta", [0.3, 1.0, 10.0])
def test_the_ellipse_integrates_to_pi_over_beta(beta, w):
    axis = torch.linspace(-1, 1, 141, dtype=F64) * (2.5 + 6 / beta**0.5)
    free = _ellipse_free(beta, w)
    total = math.exp(log_integral(lambda y: beta * free(None, y), axis, axis))
    assert total == pytest.approx(math.pi / beta, rel=1e-6)


def test_an_energy_with_its_sign_turned_fails_both():
    turned = _at_origin(-1.0)
    for wrong, right in zip(turned, BY_BETA.values(), strict=True):
        assert wrong != pytest.approx(right, abs=5e-4)
    axis = torch.linspace(-8.5, 8.5, 141, dtype=F64)
    free = _ellipse_free(1.0, sign=-1.0)
    log_total = log_integral(lambda y: free(None, y), axis, axis)
    assert log_total != pytest.approx(math.log(math.pi), abs=1)


@pytest.mark.parametrize(("temperature", "collapses"), [(1 / 0.2, True), (1 / 0.5, False)])
def test_an_ellipse_axis_is_lost_above_its_critical_temperature(temperature, collapses):
    # w = 0 is stable under the energy loss iff β < 1 / (2 E[y²]) = 0.25 for y₁ = 2 cos θ.
    angle = torch.arange(24, dtype=F64) * (math.pi / 12)
    data = torch.stack([2 * angle.cos(), 1.5 * angle.sin()], dim=-1)
    energy, atoms = ellipse((1e-3, 0.0))
    FreeEnergy(energy, Enumerate(atoms), temperature)(None, data).mean().backward()
    pull = -energy.decoder.w.grad[0] / 1e-3
    # d²⟨F⟩/dw₁² at 0 is E[cos²] (2 - 4 β E[y₁²] ), with E[y₁²] = 2.
    expected = -0.5 * (2 - 4 / temperature * 2)
    assert float(pull) == pytest.approx(expected, rel=1e-4)
    assert (pull < 0) == collapses


def test_a_free_energy_is_an_energy_of_x_and_y():
    energy, x, y = conditional(), randn(4, 2, seed=1), randn(5, 2, seed=2)
    free = FreeEnergy(energy, Enumerate(_atoms()), 0.5)
    assert not free.takes_z
    matrix = free(x[:, None], y[None])
    for i in range(4):
        torch.testing.assert_close(free.given(x[i])(y), matrix[i])
    summed = free + 2.0 * SquaredDistance()
    torch.testing.assert_close(
        summed(x, y[:4]), matrix.diagonal() + 2 * (x - y[:4]).square().sum(1)
    )


def test_a_prior_is_counted_once_as_energy_or_as_weights():
    # Counting weights w_k and an energy -T log w_k under equal weights differ by T log K only.
    base, atoms = Reconstruction(nn.Identity(), takes_x=False), f64([[-1.0, 0.0], [1.0, 0.5]])
    weights, y = f64([0.2, 0.8]), randn(5, 2)
    by_weights = FreeEnergy(base, Enumerate(atoms, weights), 0.7)(None, y)
    prior = FunctionEnergy(lambda z: -0.7 * torch.where(z[:, 0] < 0, 0.2, 0.8).log())
    with_prior = Reconstruction(nn.Identity(), prior=prior, takes_x=False)
    by_energy = FreeEnergy(with_prior, Enumerate(atoms), 0.7)(None, y)
    torch.testing.assert_close(by_energy - 0.7 * math.log(2), by_weights, rtol=1e-6, atol=1e-6)


def test_a_stochastic_free_energy_says_so_and_is_replayed_when_clamped():
    encoder = nn.Linear(2, 2, dtype=F64)

    class Guess(nn.Module):
        def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return encoder(y).split(1, dim=-1)

    energy = Reconstruction(nn.Linear(1, 2, dtype=F64), takes_x=False)
    y = randn(6, 2)
    assert not FreeEnergy(energy, Amortized(Guess()), 0.0).stochastic
    free = FreeEnergy(energy, Amortized(Guess()), 1.0)
    both = free + Gaussian(f64([0.0, 0.0]), torch.eye(2, dtype=F64)) / 2.0
    assert free.stochastic
    assert both.stochastic
    assert free.bound == "upper"
    with pytest.raises(ConfigurationError, match="rng"):
        both(None, y)
    with pytest.raises(ConfigurationError, match="rng"):
        both.given()
    rng = generator()
    u = both.given(rng=rng)
    assert torch.equal(u(y), u(y))
    assert torch.equal(u(y), both(None, y, rng=generator()))
    assert torch.equal(rng.get_state(), generator().get_state())
    assert not torch.equal(both(None, y, rng=rng), both(None, y, rng=rng))


def test_a_free_energy_needs_a_latent_and_a_temperature():
    infer = Enumerate(_atoms())
    with pytest.raises(ConfigurationError, match="no z"):
        FreeEnergy(SquaredDistance(), infer)
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="temperature"):
            FreeEnergy(conditional(), infer, wrong)
    with pytest.raises(ConfigurationError, match="must be 0"):
        FreeEnergy(conditional(), Descent(_atoms()), 1.0)(randn(1, 2), randn(1, 2))


def test_potentials_can_be_pickled_and_stay_functions():
    energy = FreeEnergy(Reconstruction(nn.Linear(1, 2), takes_x=False), Amortized(Halves()), 1.0)
    y, rng = randn(4, 2).float(), generator(3)
    plain = MLP(2, x_dim=3, hidden=(4,))
    for u in (
        energy.given(rng=rng),
        plain.given(torch.ones(3)),
        (0.5 * plain).given(torch.ones(3)),
    ):
        twin = pickle.loads(pickle.dumps(u))
        torch.testing.assert_close(twin(y), u(y), rtol=0, atol=0)
        for a, b in zip(twin.value_and_grad(y), u.value_and_grad(y), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


class Halves(nn.Module):
    """A mean and a log standard deviation."""

    def forward(self, y):
        return y[:, :1], y[:, 1:]
