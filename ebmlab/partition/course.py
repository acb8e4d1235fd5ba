"""The path from a law that can be sampled to one that cannot, and chains along it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._kinds import require_real
from ebmlab._rows import rows
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.protocols import Sampler
from ebmlab.samplers.kernel import Kernel, as_kernel
from ebmlab.types import Potential, as_potential

__all__ = ["Between", "Course", "Path", "Stage", "Start", "Transition"]

Between = Callable[[float], Potential]
Transition = Sampler | Callable[[float], Sampler]


class Start(Protocol):
    """A law with a known log Z that can be sampled: every `energies.Density` is one."""

    @property
    def log_z(self) -> Tensor:
        """log ∫ exp(-E(y)) dy, a 0-d tensor."""
        ...

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Exact draws (n, *event)."""
        ...

    def given(self) -> Potential:
        """The energy as a potential of y."""
        ...


@dataclass(frozen=True, eq=False)
class Path:
    """u_t = (1 - t) u₀ + t u₁: the geometric path between two laws, exp(-u₀) and exp(-u₁).

    Example:
        >>> path = Path(Potential(lambda y: y.sum(-1)), Potential(lambda y: 3 * y.sum(-1)))
        >>> path.at(0.25)(torch.ones(1, 2)), path.slope(torch.ones(1, 2))
        (tensor([3.]), tensor([4.]))

    Source: Neal 2001, arXiv:physics/9803008.
    """

    start: Potential
    end: Potential

    def at(self, t: float | Tensor) -> Potential:
        """The potential u_t; t in [0, 1] is a number, or one for each chain, (chains,).

        An end that has no weight is not heard: infinities there do not become NaN.
        """

        def value(y: Tensor) -> Tensor:
            return _mixed(t, self.start(y), self.end(y))

        def slope(y: Tensor) -> tuple[Tensor, Tensor]:
            first, second = self.start.value_and_grad(y), self.end.value_and_grad(y)
            return _mixed(t, first[0], second[0]), _mixed(t, first[1], second[1])

        return Potential(value, slope)

    def slope(self, y: Tensor) -> Tensor:
        """∂u_t / ∂t = u₁(y) - u₀(y), (chains,): what annealed importance sampling adds up."""
        return self.end(y) - self.start(y)


def _mixed(t: float | Tensor, first: Tensor, second: Tensor) -> Tensor:
    t = torch.as_tensor(t, dtype=first.dtype, device=first.device)
    t = rows(t, first)
    # 0 · ∞ is NaN where the end that has no weight is infinite.
    first = torch.where(t == 1, 0.0, (1 - t) * first)
    return first + torch.where(t == 0, 0.0, t * second)


class Stage(NamedTuple):
    """One u_t of a course, and the kernel that leaves exp(-u_t) invariant."""

    u: Potential
    kernel: Kernel
    moves: int

    def enter(self, y: Tensor, rng: torch.Generator) -> Any:
        """The state of chains that begin at y under u_t."""
        return self.kernel.init(self.u, y, rng)

    def reweigh(self, state: Any, log_weights: Tensor) -> tuple[Any, Tensor]:
        """Chains as they stand under u_t, and weights times exp(u_before(y) - u_t(y)).

        The state's own energy is u_before(y), so that one evaluation gives the weight and the
        state. A weight that is 0 stays so, wherever its chain goes.
        """
        moved = self.kernel.under(self.u, state)
        rise = (moved.energy.double() - state.energy).reshape(log_weights.shape)
        return moved, torch.where(log_weights.isneginf(), log_weights, log_weights - rise)

    def move(self, state: Any, rng: torch.Generator) -> Any:
        """Chains after their transitions under u_t."""
        for _ in range(self.moves):
            state, _ = self.kernel.step(self.u, state, rng)
        return state


@dataclass(frozen=True, eq=False)
class Course:
    """Stages u_t, t in [0, 1], along which chains are reweighted and moved, as in `ais`."""

    path: Path
    kernel: Transition
    times: list[float]
    moves: int
    between: Between | None

    @classmethod
    def of(
        cls,
        u: Callable[[Tensor], Tensor],
        start: Start,
        kernel: Transition,
        times: Tensor,
        moves: int,
        between: Between | None,
    ) -> Self:
        """The course from a start to u, checked."""
        require_counts(moves=moves)
        path = Path(start.given(), as_potential(u))
        return cls(path, kernel, _checked(times), moves, between)

    def at(self, t: float) -> Stage:
        """u_t and its kernel."""
        kernel = self.kernel(t) if callable(self.kernel) else self.kernel
        return Stage(self._potential(t), as_kernel(kernel), self.moves)

    def _potential(self, t: float) -> Potential:
        if t == 0:
            return self.path.start
        if t == 1:
            return self.path.end
        return (self.between or self.path.at)(t)


def _checked(times: Tensor) -> list[float]:
    """The times as numbers, or an error where they do not go from 0 to 1."""
    require_real(times=times)
    if times.ndim != 1 or len(times) < 2:
        raise ShapeError(f"times has shape {tuple(times.shape)}; it must be (k,) with k >= 2")
    numbers = times.tolist()
    if numbers[0] != 0 or numbers[-1] != 1 or not bool((times.diff() > 0).all()):
        raise ConfigurationError(
            "times must rise from 0 to 1, as torch.linspace(0, 1, 101) does; they begin with "
            f"{numbers[:3]} and end with {numbers[-3:]}"
        )
    return numbers
