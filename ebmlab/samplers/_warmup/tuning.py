"""The course of a warm-up: chains moved by a kernel that they change."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ebmlab._rows import depth_limit, rows
from ebmlab.errors import DivergenceError
from ebmlab.protocols import Sampler
from ebmlab.samplers._steps.start import begin
from ebmlab.samplers._warmup.adaptation import DualAveraging, first_guess
from ebmlab.samplers._warmup.curvature import Local, local, shared
from ebmlab.samplers._warmup.length import Length
from ebmlab.samplers._warmup.moments import Moments
from ebmlab.samplers._warmup.settling import come_in
from ebmlab.samplers._warmup.stragglers import near
from ebmlab.samplers.chees import ChEESHMC
from ebmlab.samplers.metric import Dense, Identity, Metric
from ebmlab.samplers.nuts import NUTS
from ebmlab.types import Potential, State

__all__ = ["Tunable", "Tuning"]

# Numbers in the metrics of all chains, where each may have its own.
LARGEST = 10**6
FIRST_DEPTH = 5
# Transitions by itself of a chain that others leave behind, in each window; the mean acceptance
# below which it is stuck, as where the target is much narrower than elsewhere.
FETCHING, STUCK = 25, 0.2


@runtime_checkable
class Tunable(Sampler, Protocol):
    """What `warmup` tunes: a frozen dataclass with these fields and an info.acceptance."""

    @property
    def step_size(self) -> float | Tensor:
        """ε > 0, also one per chain, shaped to meet (chains, *event)."""
        ...

    @property
    def metric(self) -> Metric:
        """M = L Lᵀ."""
        ...


class Tuning:
    """Chains under a kernel whose step size, metric and trajectory length they teach.

    Args:
        sampler: the kernel as it is before.
        u: what it samples.
        state: where its chains stand.
        rng: where random numbers come from.
        target: acceptance aimed at.
        moved: called with 1 after each transition.
    """

    def __init__(
        self,
        sampler: Tunable,
        u: Potential,
        state: Any,
        rng: torch.Generator,
        target: float,
        moved: Callable[[int], None],
    ) -> None:
        self.sampler, self.u, self.state, self.rng = sampler, u, state, rng
        self.target, self.moved = target, moved
        self.metric, self.step_size = sampler.metric, torch.as_tensor(sampler.step_size)
        self.length: Length | None = None
        self.bends, self.accepted = False, torch.ones_like(state.energy)
        self.dim, self.depth = state.y[0].numel(), FIRST_DEPTH
        self.floor = depth_limit(state.energy)

    def alone(self, steps: int, kind: type[Metric]) -> int:
        """Bring every chain in by itself, in so many transitions at most; how many it took.

        Where that is cheap, curvature makes a first metric.
        """
        self.bends = kind is Dense and self.state.y.numel() * self.dim <= LARGEST
        start, first = self._by_itself()
        end, metric, made = come_in(self.u, start, first, steps, self.rng, self.moved)
        self.state = self.sampler.init(self.u, end.y, self.rng)
        self._require_bounded()
        if isinstance(metric, Local):
            self.metric = shared(metric, near(end.energy, self.dim))
        return made

    def _by_itself(self) -> tuple[State, Metric]:
        """Where chains stand, and a metric that may become each chain's own."""
        start = begin(self.u, self.state.y)
        return start, local(self.metric, start.y) if self.bends else self.metric

    def _fetch(self) -> None:
        """Bring in the chains that are far out or stuck, each by itself; the others stay."""
        behind = ~near(self.state.energy, self.dim) | (self.accepted < STUCK)
        if self.bends and bool(behind.any()):
            start, metric = self._by_itself()
            end = come_in(
                self.u, start, metric, FETCHING, self.rng, lambda _: None, rest=FETCHING
            ).state
            y = torch.where(rows(behind, end.y), end.y, self.state.y)
            self.state = self.sampler.init(self.u, y, self.rng)

    def together(self, widths: list[int], kind: type[Metric]) -> None:
        """Move all chains with one step size; learn a metric in every window but the last."""
        if isinstance(self.sampler, ChEESHMC):
            self.length = Length(self.sampler, self.state)
        for window, width in enumerate(widths):
            self._fetch()
            moments = Moments(self.state.y, kind, self.metric)
            self._window(width, moments)
            if window < len(widths) - 1:
                self.metric = moments.metric()
                self.depth += 1
                if self.length is not None and kind is not Identity:
                    self.length.renew()

    def _window(self, width: int, moments: Moments) -> None:
        guess = first_guess(lambda size: self._tried(size).mean(), self.step_size)
        averaging = DualAveraging(guess, self.target)
        self.accepted = torch.zeros_like(self.state.energy)
        for _ in range(width):
            acceptance = self._move(self._next(averaging.step_size))
            averaging.see(acceptance.mean())
            self.accepted += acceptance / width
            moments.see(self.state.y, near(self.state.energy, self.dim))
        self._require_bounded()
        self.step_size = averaging.average

    def tuned(self) -> Any:
        """The kernel with what was learned, its step size a number."""
        step_size = float(self.step_size)
        if self.length is not None:
            return self.length.tuned(step_size, self.metric)
        return self._with(step_size)

    def _next(self, step_size: Tensor) -> Sampler:
        if self.length is not None:
            return self.length.kernel(float(step_size), self.metric)
        return self._capped(self._with(step_size))

    def _with(self, step_size: float | Tensor) -> Any:
        sampler: Any = self.sampler
        return dataclasses.replace(sampler, step_size=step_size, metric=self.metric)

    def _capped(self, sampler: Any) -> Any:
        """Trees that cannot take for ever under a metric that is still crude."""
        if not isinstance(sampler, NUTS):
            return sampler
        return dataclasses.replace(sampler, max_depth=min(self.depth, sampler.max_depth))

    def _tried(self, step_size: Tensor) -> Tensor:
        """Acceptances of one transition, which is taken back."""
        return self._capped(self._with(step_size)).step(self.u, self.state, self.rng)[1].acceptance

    def _move(self, kernel: Sampler) -> Tensor:
        self.state, info = kernel.step(self.u, self.state, self.rng)
        if self.length is not None:
            self.length.see(self.state, info)
        self.moved(1)
        return info.acceptance

    def _require_bounded(self) -> None:
        fallen = self.state.energy < self.floor
        if bool(fallen.any()):
            raise DivergenceError(
                f"chain {int(fallen.nonzero()[0])}: the energy falls without bound; "
                "an energy must be bounded below: check its sign, or add a term that holds y"
            )
