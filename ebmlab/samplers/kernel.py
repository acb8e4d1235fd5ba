"""`Kernel`: a transition cut in two, its random numbers and a pure function of them."""

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ebmlab.samplers._steps.start import begin
from ebmlab.types import Potential

__all__ = ["Kernel", "stack", "unstack"]


class Kernel(ABC):
    """A sampler whose step is `move(u, state, draw(state, rng))`.

    `draw` takes every random number of a step from the caller's generator, in a shape that does
    not depend on where the chains stand; `move` is a pure function of tensors. So the same
    numbers may be drawn ahead, and several moves compiled into one (`run(…, compile=True)`).

    Attributes:
        numbers: the fields that may be numbers or tensors, such as step_size: a compiled program
            takes them as tensors, and so serves all their values.

    Example:
        >>> from ebmlab.samplers import Langevin
        >>> isinstance(Langevin(0.1), Kernel)
        True
    """

    numbers: ClassVar[tuple[str, ...]] = ()

    @property
    def block(self) -> int:
        """How many transitions are worth compiling into one program."""
        return 10

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> Any:
        """Energies and gradients at the start."""
        return begin(u, y)

    @abstractmethod
    def draw(self, state: Any, rng: torch.Generator) -> tuple[Any, ...]:
        """All random numbers of one transition: a tuple (or tuples of tuples) of tensors."""

    @abstractmethod
    def move(self, u: Potential, state: Any, noise: Any) -> tuple[Any, Any]:
        """The transition that these random numbers make: (state, info)."""

    def step(self, u: Potential, state: Any, rng: torch.Generator) -> tuple[Any, Any]:
        """One transition of every chain: draw, then move."""
        return self.move(u, state, self.draw(state, rng))

    def traced(self) -> Self:
        """The same kernel with tensors for its numbers."""
        tensors = {
            name: torch.as_tensor(getattr(self, name), dtype=torch.float64)
            for name in self.numbers
        }
        return dataclasses.replace(self, **tensors)  # pyright: ignore[reportArgumentType]


def stack(draws: list[Any]) -> Any:
    """The draws of several steps as one tree, its tensors stacked along a new first dimension."""
    first = draws[0]
    if isinstance(first, Tensor):
        if len(draws) == 1:
            return first[None]
        if first.ndim == 2 and first.mT.is_contiguous():  # laid out coordinate by coordinate
            return torch.stack([draw.mT for draw in draws]).mT
        return torch.stack(draws)
    return _like(first, [stack(list(parts)) for parts in zip(*draws, strict=True)])


def unstack(draws: Any, step: int) -> Any:
    """The draw of one step out of a stacked tree."""
    if isinstance(draws, Tensor):
        return draws[step]
    return _like(draws, [unstack(part, step) for part in draws])


def _like(example: tuple[Any, ...], parts: list[Any]) -> tuple[Any, ...]:
    """Parts as the tuple, or the named tuple, that the example is."""
    return tuple(parts) if type(example) is tuple else type(example)(*parts)
