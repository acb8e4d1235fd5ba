"""Recovery likelihood: which law the chains sample, whose energies are compared."""

from dataclasses import dataclass, field

import pytest
import torch
from negatives_support import Count
from problems import f64, generator, has_variance, randn

from ebmlab.energies import MLP, Gaussian
from ebmlab.errors import ConfigurationError
from ebmlab.objectives import RecoveryLikelihood
from ebmlab.samplers import MALA
from ebmlab.types import Info, State


def judge(value, due, energy):
    torch.testing.assert_close(value, due, rtol=1e-10, atol=1e-12)
    own = [p for p in energy.parameters() if p.requires_grad]
    found, expected = torch.autograd.grad(value, own), torch.autograd.grad(due, own)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert found[0].abs().max() > 0


def test_one_level_is_the_difference_of_energies_at_the_data_and_at_the_chains_ends():
    energy, y, sigma = MLP(2, hidden=(8,)).double(), randn(5, 2), 0.3
    loss = RecoveryLikelihood(sigma, Count(), 4)(energy, None, y, generator())
    noisy = y + sigma * torch.randn(2, 5, generator=generator(), dtype=y.dtype).T
    end = noisy + sigma * f64([0.0, 4.0])
    judge(loss.value, energy(None, y).mean() - energy(None, end).mean(), energy)
    torch.testing.assert_close(loss.metrics["gap"], -loss.value.detach())


def test_levels_add_their_noise_and_tell_the_energy_how_much_y_carries():
    energy, y, sigmas = MLP(2, x_dim=1, hidden=(8,)).double(), randn(7, 2), (0.3, 0.4, 1.2)
    loss = RecoveryLikelihood(sigmas, Count(), 1)(energy, None, y, generator(3))
    rng = generator(3)
    level = torch.randint(3, (7,), generator=rng)
    assert set(level.tolist()) == {0, 1, 2}
    before, sigma = f64([0.0, 0.3, 0.5])[level, None], f64(sigmas)[level, None]
    first, second = (torch.randn(2, 7, generator=rng, dtype=y.dtype).T for _ in range(2))
    clean = y + before * first
    end = clean + sigma * (second + f64([0.0, 1.0]))
    judge(loss.value, energy(before, clean).mean() - energy(before, end).mean(), energy)


@dataclass(frozen=True)
class Spy:
    """A kernel that stands still and keeps what it was given to sample."""

    seen: list = field(default_factory=list)

    def init(self, u, y, rng):
        self.seen.append((u, y))
        return State(y, *u.value_and_grad(y))

    def step(self, u, state, rng):
        return state, Info(torch.ones_like(state.energy))


@pytest.mark.filterwarnings("ignore:of 5 chains")
def test_chains_sample_the_energy_and_the_square_of_the_noise_in_units_of_sigma():
    energy, y, sigma, spy = MLP(2, hidden=(8,)).double(), randn(5, 2), 0.3, Spy()
    RecoveryLikelihood(sigma, spy, 1)(energy, None, y, generator())
    (u, start) = spy.seen[0]
    noisy = y + sigma * torch.randn(2, 5, generator=generator(), dtype=y.dtype).T
    assert not start.any()
    v = randn(5, 2, seed=8).requires_grad_()
    at = noisy + sigma * v
    due = energy(None, at) + (at - noisy).square().sum(-1) / (2 * sigma**2)
    (slope,) = torch.autograd.grad(due.sum(), v)
    torch.testing.assert_close(u(v), due)
    torch.testing.assert_close(u.value_and_grad(v.detach()), (due.detach(), slope))


def test_chains_of_a_gaussian_end_in_its_posterior():
    # Of N(0, 1) and noise of 0.5, the chains' variance about (4/5) ỹ is 1/5: false alarms 1e-6.
    energy, y = Gaussian(f64([0.0]), f64([[1.0]])), randn(4000, 1)
    objective = RecoveryLikelihood(0.5, MALA(0.5), 12)
    sigma = torch.full((4000,), 0.5).double()
    end, _ = objective._recovered(energy, None, y, sigma, generator())
    assert has_variance((end - 0.8 * y)[:, 0], 0.2)
    assert not has_variance((end - 0.8 * y)[:, 0], 0.25)


def test_levels_need_an_x_that_tells_them_apart():
    objective, y = RecoveryLikelihood((0.1, 0.2), MALA(0.1), 1), randn(4, 2)
    with pytest.raises(ConfigurationError, match="2 levels"):
        objective(MLP(2).double(), None, y, generator())
    with pytest.raises(ConfigurationError, match="x=None"):
        objective(MLP(2, x_dim=1).double(), randn(4, 1), y, generator())
    with pytest.raises(ConfigurationError, match="sigma is -1"):
        RecoveryLikelihood((0.1, -1.0), MALA(0.1), 1)
