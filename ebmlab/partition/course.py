"""The path from a law that can be sampled to one that cannot, and chains along it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.partition.path import Path
from ebmlab.protocols import Sampler
from ebmlab.types import Potential

__all__ = ["Between", "Course", "Start", "Transition", "checked_times"]

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
class Course:
    """Potentials u_t, t in [0, 1], along which chains are reweighted and moved.

    Args:
        start: u₀.
        target: u₁.
        kernel: leaves exp(-u_t) invariant at any t; or a function of t that makes such a kernel.
        between: t to u_t for 0 < t < 1; None: `Path`, the straight line.
        moves: transitions at each t.

    Raises:
        ConfigurationError: moves < 1.
    """

    start: Potential
    target: Potential
    kernel: Transition
    between: Between | None
    moves: int

    def __post_init__(self) -> None:
        if self.moves < 1:
            raise ConfigurationError(f"moves is {self.moves}; it must be >= 1")

    def at(self, t: float) -> Potential:
        """u_t."""
        if t == 0:
            return self.start
        if t == 1:
            return self.target
        return Path(self.start, self.target).at(t) if self.between is None else self.between(t)

    def enter(self, y: Tensor, t: float, rng: torch.Generator) -> Any:
        """The state of chains that begin at y under u_t."""
        return self._kernel(t).init(self.at(t), y, rng)

    def reweigh(self, state: Any, log_weights: Tensor, t: float) -> tuple[Any, Tensor]:
        """Chains as they stand under u_t, and weights times exp(u_before(y) - u_t(y)).

        The state's own energy is u_before(y), so that one evaluation gives the weight and the
        state. A weight that is 0 stays so, wherever its chain goes.
        """
        u = self.at(t)
        if "grad" in state._fields:
            energy, grad = u.value_and_grad(state.y)
            moved = state._replace(energy=energy, grad=grad)
        else:
            energy = u(state.y).detach()
            moved = state._replace(energy=energy)
        rise = (energy.double() - state.energy.double()).reshape(log_weights.shape)
        return moved, torch.where(log_weights.isneginf(), log_weights, log_weights - rise)

    def move(self, state: Any, t: float, rng: torch.Generator) -> Any:
        """Chains after their transitions under u_t."""
        u, kernel = self.at(t), self._kernel(t)
        for _ in range(self.moves):
            state, _ = kernel.step(u, state, rng)
        return state

    def _kernel(self, t: float) -> Sampler:
        return self.kernel(t) if callable(self.kernel) else self.kernel


def checked_times(times: Tensor) -> list[float]:
    """The times as numbers, or an error where they do not go from 0 to 1."""
    if times.ndim != 1 or len(times) < 2:
        raise ShapeError(f"times has shape {tuple(times.shape)}; it must be (k,) with k >= 2")
    numbers = times.tolist()
    if numbers[0] != 0 or numbers[-1] != 1 or not bool((times.diff() > 0).all()):
        raise ConfigurationError(
            "times must rise from 0 to 1, as torch.linspace(0, 1, 101) does; they begin with "
            f"{numbers[:3]} and end with {numbers[-3:]}"
        )
    return numbers
