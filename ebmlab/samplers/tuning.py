"""The course of a warm-up: chains moved by a kernel that they change."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ebmlab.errors import DivergenceError
from ebmlab.protocols import Sampler
from ebmlab.rows import depth_limit, rows
from ebmlab.samplers.adaptation import DualAveraging, first_guess
from ebmlab.samplers.chees import ChEESHMC
from ebmlab.samplers.length import Length
from ebmlab.samplers.metric import Identity, Metric
from ebmlab.samplers.moments import Moments
from ebmlab.types import Potential

__all__ = ["Tunable", "Tuning"]


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
        self.floor = depth_limit(state.energy)

    def alone(self, steps: int) -> None:
        """Move every chain with a step size of its own; all go on with the median of these."""
        guess = torch.zeros_like(self.state.energy) + self.step_size
        averaging = DualAveraging(first_guess(self._tried, guess), self.target)
        for _ in range(steps):
            averaging.see(self._move(self._sized(averaging.step_size)))
        self._require_bounded()
        self.step_size = averaging.average.median()

    def together(self, widths: list[int], kind: type[Metric]) -> None:
        """Move all chains with one step size; learn a metric in every window but the last."""
        scale = torch.ones(self.state.y[0].numel(), dtype=torch.float64, device=self.rng.device)
        if isinstance(self.sampler, ChEESHMC):
            self.length = Length(self.sampler, self.state.y, float(self.step_size))
        for window, width in enumerate(widths):
            moments = Moments(self.state.y, kind)
            self._window(width, moments)
            if window < len(widths) - 1:
                self.metric, scale = moments.metric(scale)
                if self.length is not None and kind is not Identity:
                    self.length.renew()

    def _window(self, width: int, moments: Moments) -> None:
        guess = first_guess(lambda size: self._tried(size).mean(), self.step_size)
        averaging = DualAveraging(guess, self.target)
        for _ in range(width):
            averaging.see(self._move(self._next(averaging.step_size)).mean())
            moments.see(self.state.y)
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
        return self._sized(step_size)

    def _sized(self, step_size: Tensor) -> Any:
        return self._with(rows(step_size, self.state.y) if step_size.ndim else step_size)

    def _with(self, step_size: float | Tensor) -> Any:
        sampler: Any = self.sampler
        return dataclasses.replace(sampler, step_size=step_size, metric=self.metric)

    def _tried(self, step_size: Tensor) -> Tensor:
        """Acceptances of one transition, which is taken back."""
        return self._sized(step_size).step(self.u, self.state, self.rng)[1].acceptance

    def _move(self, kernel: Sampler) -> Tensor:
        self.state, info = kernel.step(self.u, self.state, self.rng)
        if self.length is not None:
            self.length.see(self.state.y, info)
        self.moved(1)
        return info.acceptance

    def _require_bounded(self) -> None:
        fallen = self.state.energy < self.floor
        if bool(fallen.any()):
            raise DivergenceError(
                f"chain {int(fallen.nonzero()[0])}: the energy falls without bound; "
                "an energy must be bounded below: check its sign, or add a term that holds y"
            )
