"""`Annealed`: a kernel whose temperature follows a schedule, and the usual schedules."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._rows import rows
from ebmlab.protocols import Sampler
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.heated import Heated
from ebmlab.samplers.kernel import Kernel, as_kernel, is_sampler, made
from ebmlab.types import Potential

__all__ = ["Annealed", "AnnealedState", "geometric", "linear"]

Schedule = Callable[[Tensor], Tensor]


class AnnealedState(NamedTuple):
    """Where a chain stands, how many steps it has made, and the state of the kernel."""

    y: Tensor
    energy: Tensor
    steps: Tensor
    inner: Any


@dataclass(frozen=True, eq=False)
class Annealed(Kernel):
    """Simulated annealing: step t moves by a kernel on u / T(t), t = 0, 1, 2, … of each chain.

    Args:
        kernel: the sampler that moves; or a function that makes it from the temperatures, shaped
            to meet (chains, *event), so that step sizes shrink as it gets cold:
            `lambda t: MALA(0.1 * t)`. Such a function is called at every step and is not compiled.
        schedule: maps step counts (chains,) to temperatures T > 0, (chains,): `geometric`,
            `linear`, or your own.

    Example:
        >>> from ebmlab.samplers import MALA, run
        >>> rng, u = torch.Generator().manual_seed(0), lambda y: 0.5 * y.square().sum(-1)
        >>> cooling = Annealed(lambda t: MALA(0.5 * t), geometric(1.0, 1e-6, steps=60))
        >>> chain = run(cooling, u, torch.ones(10, 2), steps=60, rng=rng)
        >>> chain.state.energy.max() < 1e-4
        tensor(True)

    Source: Kirkpatrick, Gelatt, Vecchi 1983.
    """

    kernel: Sampler | Callable[[Tensor], Sampler]
    schedule: Schedule

    @property
    def counted(self) -> bool:
        """As the kernel does, and no where a function makes it."""
        return is_sampler(self.kernel) and as_kernel(self.kernel).counted

    @property
    def block(self) -> int:
        """As many as of the kernel, and none of a function's kernels."""
        return Heated(self.kernel, 1.0).block if is_sampler(self.kernel) else 0

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> AnnealedState:
        """The kernel's state at the first temperature, and no step made."""
        steps = torch.zeros(len(y), dtype=torch.long, device=y.device)
        inner = self._now(y, steps).init(u, y, rng)
        return AnnealedState(inner.y, inner.energy, steps, inner)

    def draw(self, state: AnnealedState, source: Source) -> Any:
        """The kernel's random numbers."""
        return self._now(state.y, state.steps).draw(state.inner, source)

    def move(self, u: Potential, state: AnnealedState, noise: Any) -> tuple[AnnealedState, Any]:
        """The kernel's transition at the temperature of the step."""
        inner, info = self._now(state.y, state.steps).move(u, state.inner, noise)
        return AnnealedState(inner.y, inner.energy, state.steps + 1, inner), info

    def _now(self, y: Tensor, steps: Tensor) -> Heated:
        """The kernel at the temperature of the next step."""
        temperature = self.schedule(steps.to(y.dtype))
        return Heated(made(self.kernel, rows(temperature, y)), temperature)


def geometric(start: float, end: float, steps: int) -> Schedule:
    """T(t) = start (end / start)^(t / (steps - 1)): equal ratios.

    Args:
        start: the temperature of the first step, > 0.
        end: that of the last one, and of all later ones, > 0.
        steps: how many, >= 2.

    Example:
        >>> geometric(100.0, 1.0, steps=3)(torch.arange(4.0))
        tensor([100.,  10.,   1.,   1.])
    """
    return _schedule(_geometric, start, end, steps)


def linear(start: float, end: float, steps: int) -> Schedule:
    """T(t) = start + (end - start) t / (steps - 1): equal differences.

    Args: those of `geometric`.

    Example:
        >>> linear(3.0, 1.0, steps=3)(torch.arange(4.0))
        tensor([3., 2., 1., 1.])
    """
    return _schedule(_linear, start, end, steps)


def _geometric(start: float, end: float, steps: int, t: Tensor) -> Tensor:
    return start * (end / start) ** (t / (steps - 1)).clamp(max=1)


def _linear(start: float, end: float, steps: int, t: Tensor) -> Tensor:
    return start + (end - start) * (t / (steps - 1)).clamp(max=1)


def _schedule(form: Callable[..., Tensor], start: float, end: float, steps: int) -> Schedule:
    require_positive("start", start)
    require_positive("end", end)
    require_counts(2, steps=steps)
    return partial(form, start, end, steps)
