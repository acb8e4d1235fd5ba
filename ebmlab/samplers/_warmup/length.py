"""A trajectory length learned by climbing the ChEES criterion."""

import dataclasses
import math

import torch
from torch import Tensor

from ebmlab.samplers._warmup.stragglers import near
from ebmlab.samplers.chees import ChEESHMC, Scout, ScoutInfo
from ebmlab.samplers.metric import Metric
from ebmlab.types import State

__all__ = ["Length"]

RATE = 0.05
MEMORY = 0.05  # the weight of the present in running averages
PRICE = 0.1
# Leapfrog steps, at the end and until a first metric is learned.
LONGEST, FIRST_LONGEST = 256, 16


class Length:
    """The length T of trajectories, in whitened time, that climbs log ChEES(T) - 0.1 log T.

    The slope of its logarithm is a ratio of running averages over chains and transitions; Adam
    makes steps of log T of it, which are averaged. The small price keeps T from growing where
    nothing is gained. A trajectory has the fewest leapfrog steps, ⌈T / ε⌉ of equal size, that the
    step size ε allows.

    Args:
        sampler: the kernel whose trajectories these are.
        state: where its chains stand.
    """

    def __init__(self, sampler: ChEESHMC, state: State) -> None:
        self._sampler, self._longest = sampler, FIRST_LONGEST
        takes = near(state.energy, state.y[0].numel())
        y = state.y[takes]
        self._mean, self._variance = y.mean(0), y.var(0, correction=0)
        self._begin()

    def _begin(self) -> None:
        # A quarter turn of a Gaussian of the metric's shape. What is gained rises and falls with
        # T; from there the first summit is climbed.
        self._log = self._average = math.log(math.pi / 2)
        self._count, self._gain, self._power = 0, 0.0, 0.0

    def renew(self) -> None:
        """Begin anew under a metric that was learned; trajectories may be twice as long."""
        self._begin()
        self._longest = min(2 * self._longest, LONGEST)

    def kernel(self, step_size: float, metric: Metric) -> Scout:
        """The kernel to move by, so that `see` can learn."""
        hmc = self._hmc(self._log, step_size, metric, 0.0)
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
        return dataclasses.replace(
            self._sampler, step_size=step_size, leapfrog_steps=steps, metric=metric
        )

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
