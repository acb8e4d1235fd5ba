"""Hamiltonian Monte Carlo whose trajectory length warm-up learns from all chains at once."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import row_sums
from ebmlab.samplers._steps.leapfrog import Phase
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers._steps.stragglers import near
from ebmlab.samplers.hmc import HMC, HMCNoise, decide
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.metric import Metric
from ebmlab.samplers.tunable import Learner
from ebmlab.types import Potential, State

__all__ = ["ChEESHMC", "Scout", "ScoutInfo"]

RATE = 0.05
MEMORY = 0.05  # the weight of the present in running averages
PRICE = 0.1
# Leapfrog steps, at the end and until a first metric is learned.
LONGEST, FIRST_LONGEST = 256, 16


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

    def learner(self, state: State) -> "Length":
        """What climbs the criterion."""
        return Length(self, state)


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

    `mean` and `weight`, one over the variance, are those of the target, as far as known, (*event).
    """

    hmc: HMC
    mean: Tensor
    weight: Tensor

    def draw(self, state: State, source: Source) -> HMCNoise:
        """The random numbers of the HMC."""
        return self.hmc.draw(state, source)

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


class Length(Learner):
    """The length T of trajectories, in whitened time, that climbs log ChEES(T) - 0.1 log T.

    The slope of its logarithm is a ratio of running averages over chains and transitions; Adam
    makes steps of log T of it, which are averaged. The small price keeps T from growing where
    nothing is gained. A trajectory has the fewest leapfrog steps, ⌈T / ε⌉ of equal size, that the
    step size ε allows.
    """

    def __init__(self, sampler: ChEESHMC, state: State) -> None:
        super().__init__(sampler)
        self._longest, self._metric = FIRST_LONGEST, sampler.metric
        takes = near(state.energy, state.y[0].numel())
        y = state.y[takes]
        self._mean, self._variance = y.mean(0), y.var(0, correction=0)
        self._begin()

    def _begin(self) -> None:
        # A quarter turn of a Gaussian of the metric's shape. What is gained rises and falls with
        # T; from there the first summit is climbed.
        self._log = self._average = math.log(math.pi / 2)
        self._count, self._gain, self._power = 0, 0.0, 0.0

    def renew(self, metric: Metric) -> None:
        """Begin anew under another metric; trajectories may be twice as long."""
        if metric is not self._metric:
            self._begin()
            self._longest, self._metric = min(2 * self._longest, LONGEST), metric

    def kernel(self, step_size: float | Tensor, metric: Metric) -> Scout:
        """The kernel to move by, so that `see` can learn."""
        hmc = self._hmc(self._log, float(step_size), metric, 0.0)
        known = self._variance > 0
        return Scout(hmc, self._mean, torch.where(known, 1 / self._variance, 0.0))

    def tuned(self, step_size: float, metric: Metric) -> ChEESHMC:
        """The kernel with what was learned."""
        # Where ε wavers around T / n its longer side has too low an acceptance: n + 1 steps, then.
        return self._hmc(self._average, step_size, metric, 0.1)

    def _hmc(self, log: float, step_size: float, metric: Metric, slack: float) -> ChEESHMC:
        length = math.exp(log)
        steps = min(max(1, math.ceil(length / step_size + slack)), self._longest)
        step_size = min(step_size, length / steps)
        return replace(self.sampler, step_size=step_size, leapfrog_steps=steps, metric=metric)

    def see(self, state: State, info: ScoutInfo) -> None:
        """Learn from one transition, which led to this state; stragglers have no say."""
        takes = near(state.energy, state.y[0].numel())
        self._track(state.y[takes])
        slope, gain = float(info.slope[takes].mean()), float(info.gain[takes].mean())
        self._count += 1
        rate = max(1 / self._count, MEMORY)
        self._gain += rate * (gain - self._gain)
        if not (self._gain > 0 and math.isfinite(slope)):
            return
        climb = slope / self._gain - PRICE
        self._power += rate * (climb**2 - self._power)
        self._log += RATE * climb / math.sqrt(self._power + 1e-12)
        self._average += self._count**-0.75 * (self._log - self._average)

    def _track(self, y: Tensor) -> None:
        self._mean = self._mean + 0.02 * (y.mean(0) - self._mean)
        spread = (y - self._mean).square().mean(0)
        self._variance = self._variance + 0.02 * (spread - self._variance)
