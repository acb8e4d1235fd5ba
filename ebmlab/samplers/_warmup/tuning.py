"""The course of a warm-up: chains moved by a kernel that they change."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ebmlab._rows import depth_limit, rows
from ebmlab.errors import DivergenceError
from ebmlab.samplers._run.lookout import BOTTOMLESS
from ebmlab.samplers._steps.start import begin
from ebmlab.samplers._steps.stragglers import near
from ebmlab.samplers._warmup.adaptation import DualAveraging, first_guess
from ebmlab.samplers._warmup.curvature import Local, local, shared
from ebmlab.samplers._warmup.moments import Moments
from ebmlab.samplers._warmup.settling import come_in
from ebmlab.samplers.metric import Dense, Metric
from ebmlab.types import Potential, State

__all__ = ["Tuning"]

# Numbers in the metrics of all chains, where each may have its own.
LARGEST = 10**6
# Transitions by itself of a chain that others leave behind, in each window; the mean acceptance
# below which it is stuck, as where the target is much narrower than elsewhere.
FETCHING, STUCK = 25, 0.2


class Tuning:
    """Chains under a kernel whose step size and metric they teach, and what its learner learns.

    Args:
        sampler: as it is before.
        u, state, rng: what it samples, where its chains stand, and random numbers.
        target: acceptance aimed at.
        moved: called with 1 after each transition.
    """

    def __init__(
        self,
        sampler: Any,
        u: Potential,
        state: Any,
        rng: torch.Generator,
        target: float,
        moved: Callable[[int], None],
    ) -> None:
        self.sampler, self.u, self.state, self.rng = sampler, u, state, rng
        self.target, self.moved = target, moved
        self.metric, self.step_size = sampler.metric, torch.as_tensor(sampler.step_size)
        self.learner, self.bends, self.dim = sampler.learner(state), False, state.y[0].numel()
        self.accepted, self.lowest = torch.ones_like(state.energy), state.energy
        self.floor = depth_limit(state.energy)

    def alone(self, steps: int, kind: type[Metric]) -> int:
        """Bring every chain in by itself, in so many transitions at most; how many it took.

        Where that is cheap, curvature makes a first metric.
        """
        self.bends = kind is Dense and self.state.y.numel() * self.dim <= LARGEST
        start, first = self._by_itself()
        end, metric, made = come_in(self.u, start, first, steps, self.rng, self.moved)
        self._require_bounded(end.energy)
        self.state = self.sampler.init(self.u, end.y, self.rng)
        if isinstance(metric, Local):
            self.metric = shared(metric, near(end.energy, self.dim))
        self.learner = self.sampler.learner(self.state)
        return min(made, steps)

    def _by_itself(self) -> tuple[State, Metric]:
        """Where chains stand, and a metric that may become each chain's own."""
        start = begin(self.u, self.state.y)
        return start, local(self.metric, start.y) if self.bends else self.metric

    def _fetch(self) -> None:
        """Bring in the chains that are far out or stuck, each by itself; the others stay."""
        behind = ~near(self.state.energy, self.dim) | (self.accepted < STUCK)
        if self.bends and bool(behind.any()):
            start, metric = self._by_itself()
            end, *_ = come_in(self.u, start, metric, FETCHING, self.rng, _uncounted, FETCHING)
            self._require_bounded(end.energy)
            y = torch.where(rows(behind, end.y), end.y, self.state.y)
            self.state = self.sampler.init(self.u, y, self.rng)

    def together(self, widths: list[int], kind: type[Metric]) -> None:
        """Move all chains with one step size; learn a metric in every window but the last."""
        for window, width in enumerate(widths):
            self._fetch()
            moments = Moments(self.state.y, kind, self.metric)
            self._window(width, moments)
            if window < len(widths) - 1:
                self.metric = moments.metric()
                self.learner.renew(self.metric)

    def _window(self, width: int, moments: Moments) -> None:
        averaging = DualAveraging(first_guess(self._tried, self.step_size), self.target)
        self.accepted = torch.zeros_like(self.state.energy)
        self.lowest = torch.full_like(self.accepted, torch.inf)
        for _ in range(width):
            acceptance, takes = self._move(averaging.step_size), near(self.state.energy, self.dim)
            averaging.see(_mean(acceptance, takes))
            self.accepted += acceptance / width
            self.lowest = torch.minimum(self.lowest, self.state.energy)
            moments.see(self.state.y, takes)
        self._require_bounded(self.state.energy)
        self.step_size = averaging.average

    def far(self) -> Tensor:
        """Which chains were never near the others in the last window, (chains,)."""
        return ~near(self.lowest, self.dim)

    def tuned(self) -> Any:
        """The sampler with what was learned, its step size a number."""
        return self.learner.tuned(float(self.step_size), self.metric)

    def _tried(self, step_size: Tensor) -> Tensor:
        """The mean acceptance of one transition, which is taken back."""
        kernel = self.learner.trial(step_size, self.metric)
        _, info = kernel.step(self.u, self.state, self.rng)
        return _mean(info.acceptance, near(self.state.energy, self.dim))

    def _move(self, step_size: Tensor) -> Tensor:
        kernel = self.learner.kernel(step_size, self.metric)
        self.state, info = kernel.step(self.u, self.state, self.rng)
        self.learner.see(self.state, info)
        self.moved(1)
        return info.acceptance

    def _require_bounded(self, energy: Tensor) -> None:
        fallen = ~(energy >= self.floor)
        if bool(fallen.any()):
            raise DivergenceError(f"chain {int(fallen.nonzero()[0])}: {BOTTOMLESS}")


def _uncounted(steps: int) -> None:
    """Transitions that are not steps of the warm-up."""


def _mean(acceptance: Tensor, takes: Tensor) -> Tensor:
    """The mean over the chains that are taken: those far out accept what they must, or nothing."""
    return (acceptance * takes).sum() / takes.sum()
