"""Four real posteriors, from crude starts to the moments of reference draws made elsewhere.

Means and standard deviations of each parameter, unconstrained and constrained, are held to 4 joint
Monte Carlo standard errors. A sampler passes 92 such comparisons over the four posteriors, both
184: over seeds, one would fail falsely with probability 184 · 6.3e-5 = 1.2 %; the seeds are fixed.
"""

from collections.abc import Callable

import pytest
import torch
from posteriors_support import LOGARITHMS, real
from problems import F64, generator
from torch import Tensor

from ebmlab.metrics.chains import ess, mcse, mcse_std, rhat
from ebmlab.samplers._run.run import run
from ebmlab.samplers._warmup.warmup import warmup
from ebmlab.samplers.chees import ChEESHMC
from ebmlab.samplers.nuts import NUTS
from ebmlab.types import Potential

CHAINS, WARMUP, STEPS = 128, 200, 240
LIMIT = 4.0
NAMES = ["eight_schools", "arK", "gp_regr", "kilpisjarvi"]


def crude_start(dim: int) -> Tensor:
    """Uniform in [-2, 2], whatever the posterior."""
    return 4 * torch.rand(CHAINS, dim, generator=generator(11), dtype=F64) - 2


def by_chees(u: Potential, y: Tensor) -> Tensor:
    rng = generator(12)
    tuned, state = warmup(ChEESHMC(), u, y, steps=WARMUP, rng=rng)
    return run(tuned, u, state, steps=STEPS, rng=rng, thin=1).samples


def by_nuts(u: Potential, y: Tensor) -> Tensor:
    rng = generator(13)
    tuned, state = warmup(NUTS(0.1), u, y, steps=WARMUP // 2, rng=rng)
    return run(tuned, u, state, steps=STEPS, rng=rng, thin=1).samples


def departures(ours: Tensor, reference: Tensor) -> Tensor:
    """|difference| / √(MCSE² + MCSE²) of the means and of the standard deviations, (2, d)."""
    both = [ours, reference]
    mean, mean_of = (draws.mean((0, 1)) for draws in both)
    std, std_of = (draws.flatten(0, 1).std(0) for draws in both)
    mean_error, std_error = (
        sum(error(draws).square() for draws in both) ** 0.5 for error in (mcse, mcse_std)
    )
    return torch.stack([(mean - mean_of) / mean_error, (std - std_of) / std_error]).abs()


def agrees(name: str, samples: Tensor) -> bool:
    """Whether draws have the moments of the reference's, in both sets of coordinates."""
    energy, draws, _ = real(name)
    views = [(samples, draws), (energy.constrain(samples), energy.constrain(draws))]
    return all(bool((departures(*view) <= LIMIT).all()) for view in views)


def holds(name: str, sampler: Callable[[Potential, Tensor], Tensor]) -> None:
    energy = real(name).energy
    samples = sampler(energy.given(), crude_start(energy.dim))
    assert rhat(samples).max() < 1.01
    assert ess(samples).min() > 10_000
    assert agrees(name, samples)


@pytest.mark.parametrize("name", NAMES)
def test_chees_hmc_finds_the_reference_moments(name):
    holds(name, by_chees)


@pytest.mark.parametrize("name", NAMES)
def test_nuts_finds_the_reference_moments(name):
    holds(name, by_nuts)


# Eight schools and gp_regr are improper without their Jacobians, and arK hardly feels it.
def test_a_posterior_without_its_jacobian_is_told_apart():
    name = "kilpisjarvi"
    energy = real(name).energy
    logs = torch.zeros(energy.dim, dtype=F64)
    logs[LOGARITHMS[name]] = 1

    def without(y: Tensor) -> tuple[Tensor, Tensor]:
        value, grad = energy.value_and_grad(None, y)
        return value + y @ logs, grad + logs

    u = Potential(lambda y: without(y)[0], without)
    samples = by_chees(u, crude_start(energy.dim))
    assert rhat(samples).max() < 1.01
    assert ess(samples).min() > 10_000
    assert not agrees(name, samples)
