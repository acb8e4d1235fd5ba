"""Hamiltonian Monte Carlo whose trajectory length warm-up learns from all chains at once."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import row_sums
from ebmlab.samplers._steps.leapfrog import Phase
from ebmlab.samplers.hmc import HMC, HMCNoise, decide
from ebmlab.samplers.kernel import Kernel
from ebmlab.types import Potential, State

__all__ = ["ChEESHMC", "Scout", "ScoutInfo"]


@dataclass(frozen=True, eq=False)
class ChEESHMC(HMC):
    """HMC that `warmup` also finds the number of leapfrog steps of.

    All chains take the same number of steps, so that a batch wastes no gradient; a shared step
    size factor f ~ U(1 - jitter, 1 + jitter) varies the length of trajectories. Warm-up climbs the
    change of the estimator of the expected square,
    ChEES(T) = ¼ E[(S(y') - S(y))²], S(y) = Σ_i (y_i - mean_i)² / variance_i,
    in the trajectory's length T, y' its end. It is largest where squares are forgotten in one
    transition, a quarter of a turn on a Gaussian, and so does not reward the half turns that
    serve means only.

    Args:
        step_size: ε > 0; warm-up starts from it.
        leapfrog_steps: how many leaps make a trajectory; the first tenth of warm-up keeps it.
        metric: M, the identity by default; warm-up finds one.
        jitter: in [0, 1).

    Raises:
        ConfigurationError: as `HMC`.

    Example:
        >>> from ebmlab.samplers import run, warmup
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * (y / torch.tensor([1.0, 100.0])).square().sum(-1)
        >>> tuned, state = warmup(ChEESHMC(), u, torch.randn(64, 2), steps=300, rng=rng)
        >>> 1 <= tuned.leapfrog_steps <= 4
        True
        >>> run(tuned, u, state, steps=10, rng=rng).acceptance.mean() > 0.5
        tensor(True)

    Source: Hoffman, Radul, Sountsov 2021 (AISTATS).
    """

    step_size: float | Tensor = 0.1
    leapfrog_steps: int | Tensor = 10
    jitter: float = 0.25


class ScoutInfo(NamedTuple):
    """An `HMCInfo`, and what `Length` learns from: ∂ ChEES / ∂ log T and ChEES of each chain."""

    acceptance: Tensor
    nonfinite: Tensor
    divergent: Tensor
    slope: Tensor
    gain: Tensor


@dataclass(frozen=True, eq=False)
class Scout(Kernel):
    """The transitions of an HMC, watched: what a longer trajectory would have gained.

    Args:
        hmc: whose transitions.
        mean: of the target, as far as known, (*event).
        weight: of each coordinate, (*event): one over its variance.
    """

    hmc: HMC
    mean: Tensor
    weight: Tensor

    def draw(self, state: State, rng: torch.Generator) -> HMCNoise:
        """The random numbers of the HMC."""
        return self.hmc.draw(state, rng)

    def move(self, u: Potential, state: State, noise: HMCNoise) -> tuple[State, ScoutInfo]:
        """The transition of the HMC."""
        end = self.hmc.propose(u, state, noise)
        moved, info = decide(state, noise, end)
        slope, gain = self._criterion(state, end, noise)
        # Ends that would be rejected gain nothing, and may be NaN.
        takes = info.acceptance > 0
        slope = torch.where(takes, info.acceptance * slope, 0.0)
        gain = torch.where(takes, info.acceptance * gain, 0.0)
        return moved, ScoutInfo(*info, slope, gain)

    def _criterion(self, state: State, end: Phase, noise: HMCNoise) -> tuple[Tensor, Tensor]:
        here, there = state.y - self.mean, end.y - self.mean
        jump = row_sums(self.weight * (there.square() - here.square()))
        velocity = self.hmc.metric.spread(end.momentum)
        time = self.hmc.stride(noise) * self.hmc.leapfrog_steps
        slope = time * jump * row_sums(self.weight * there * velocity)
        return slope, 0.25 * jump.square()
