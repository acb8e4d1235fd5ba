"""Simulation-based calibration: truths from the prior rank uniformly among posterior draws.

Every replicate is a chain: θ* from the prior, data from θ*, and a posterior of its own, so that
one batched potential holds all. The truth is a draw from its posterior, and the chain is run from
it: some steps forward and the rest backward in time, which for a reversible kernel is the same.
The place of the truth in that path is uniform, and so is its rank, exactly and however slow the
chain.

Source: Talts et al. 2018, arXiv:1804.06788; Besag, Clifford 1989.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from problems import F64, RATE, generator
from scipy import stats
from torch import Tensor

from ebmlab.protocols import Sampler
from ebmlab.samplers import MALA, NUTS, nuts
from ebmlab.samplers._run.run import run
from ebmlab.samplers._steps.lots import Lots, lots, momenta
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.hmc import HMC, HMCNoise
from ebmlab.samplers.mala import MetropolisNoise
from ebmlab.types import State

REPLICATES, DRAWS, OBSERVED = 4000, 15, 6
SHAPE, PRIOR_RATE, COUNT = 3.0, 3.0, 0.5


class Replicates(NamedTuple):
    """Truths (replicates, 2), each μ and log σ², and their data (replicates, observations)."""

    truth: Tensor
    data: Tensor

    @classmethod
    def drawn(cls, seed: int) -> "Replicates":
        """σ⁻² ~ Gamma(3, rate 3), μ ~ N(0, 2σ²), and data from N(μ, σ²)."""
        rng = generator(seed)
        uniform = torch.rand(REPLICATES, 3, generator=rng, dtype=F64)
        log_variance = -(-uniform.log().sum(1) / PRIOR_RATE).log()
        sigma = (log_variance / 2).exp()
        noise = torch.randn(REPLICATES, 1 + OBSERVED, generator=rng, dtype=F64)
        mean = sigma * noise[:, 0] / COUNT**0.5
        data = mean[:, None] + sigma[:, None] * noise[:, 1:]
        return cls(torch.stack([mean, log_variance], 1), data)

    def posterior(self, jacobian: bool = True) -> Callable[[Tensor], Tensor]:
        """-log p(μ, log σ² | data) of every replicate; σ⁻² = e^{-λ} has |dσ⁻²/dλ| = e^{-λ}."""

        def u(y: Tensor) -> Tensor:
            mean, log_variance = y[:, 0], y[:, 1]
            squares = (self.data - mean[:, None]).square().sum(1) + COUNT * mean.square()
            powers = SHAPE - 1 + (1 + OBSERVED) / 2 + jacobian
            return powers * log_variance + (PRIOR_RATE + squares / 2) * (-log_variance).exp()

        return u


def ranks(
    sampler: Sampler, u: Callable[[Tensor], Tensor], truth: Tensor, thin: int, seed: int
) -> Tensor:
    """The truths' ranks in 0 … DRAWS among their draws (replicates, 2), ties broken at random."""
    rng = generator(seed)
    paths = [
        run(sampler, u, truth, steps=thin * DRAWS, thin=thin, rng=rng).samples for _ in range(2)
    ]
    forward = torch.randint(DRAWS + 1, (REPLICATES,), generator=rng)
    place = torch.arange(DRAWS)[:, None]
    ours = torch.where((place < forward)[..., None], *torch.stack([paths[0], paths[1].flip(0)]))
    below, ties = (ours < truth).sum(0), (ours == truth).sum(0)
    share = torch.rand(below.shape, generator=rng, dtype=F64)
    return below + (share * (ties + 1)).long()


def calibrated(sampler: Sampler, thin: int, *, jacobian: bool = True) -> bool:
    """Whether μ and log σ² rank uniformly: χ² of 16 ranks each, at half of the rate (1e-6)."""
    replicates = Replicates.drawn(seed=1)
    found = ranks(sampler, replicates.posterior(jacobian), replicates.truth, thin, seed=2)
    counts = [column.bincount(minlength=DRAWS + 1).numpy() for column in found.T]
    return all(stats.chisquare(count).pvalue > RATE / 2 for count in counts)


# Transitions from one draw to the next are chosen so that broken kernels have time to show.
KERNELS = {"MALA": (MALA(0.12), 6), "HMC": (HMC(0.35, 4), 2), "NUTS": (NUTS(0.5), 1)}


@pytest.mark.parametrize("name", KERNELS)
def test_a_right_kernel_is_calibrated(name):
    assert calibrated(*KERNELS[name])


@pytest.mark.parametrize("name", KERNELS)
def test_a_model_without_its_log_jacobian_is_not(name):
    assert not calibrated(*KERNELS[name], jacobian=False)


@dataclasses.dataclass(frozen=True, eq=False)
class Credulous(MALA):
    """Accepts every proposal."""

    def draw(self, state: State, source: Source) -> MetropolisNoise:
        noise = super().draw(state, source)
        return noise._replace(threshold=torch.zeros_like(noise.threshold))


@dataclasses.dataclass(frozen=True, eq=False)
class CredulousHMC(HMC):
    """Accepts every proposal."""

    def draw(self, state: State, source: Source) -> HMCNoise:
        noise = super().draw(state, source)
        return noise._replace(threshold=torch.zeros_like(noise.threshold))


def credulous(seeds: Tensor, leaf: Tensor, dtype: torch.dtype) -> Lots:
    """Every leaf is picked, and every branch gives the draw."""
    given = lots(seeds, leaf, dtype)
    always = torch.full_like(given.pick, -torch.inf)
    return given._replace(pick=always, join=always)


def test_a_kernel_with_a_wrong_acceptance_is_not(monkeypatch):
    assert not calibrated(Credulous(0.12), 6)
    assert not calibrated(CredulousHMC(0.35, 4), 2)
    monkeypatch.setattr(nuts, "lots", credulous)
    assert not calibrated(NUTS(0.5), 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Loud(MALA):
    """Pushes 1.2 times as hard as it says."""

    def draw(self, state: State, source: Source) -> MetropolisNoise:
        noise = super().draw(state, source)
        return noise._replace(push=1.2 * noise.push)


@dataclasses.dataclass(frozen=True, eq=False)
class LoudHMC(HMC):
    """Draws momenta 1.2 times as large as it says."""

    def draw(self, state: State, source: Source) -> HMCNoise:
        noise = super().draw(state, source)
        return noise._replace(momentum=1.2 * noise.momentum)


def test_a_kernel_with_a_wrong_scale_of_noise_is_not(monkeypatch):
    assert not calibrated(Loud(0.12), 6)
    assert not calibrated(LoudHMC(0.35, 4), 2)
    monkeypatch.setattr(nuts, "momenta", lambda seeds, like: 1.2 * momenta(seeds, like))
    assert not calibrated(NUTS(0.5), 1)
