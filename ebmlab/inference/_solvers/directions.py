"""Where a descent steps: down the gradient, with momentum, or scaled by the gradient's history."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._rows import rows
from ebmlab.errors import ConfigurationError

__all__ = ["AdaptiveMoments", "Direction", "HeavyBall", "Steepest"]


class Direction(ABC):
    """A rule that turns gradients into steps; its memory is a tuple of tensors, row by row."""

    @abstractmethod
    def begin(self, z: Tensor) -> Any:
        """The memory of rows that have not moved: a named tuple of tensors (rows, ...)."""

    @abstractmethod
    def step(self, memory: Any, grad: Tensor, size: Tensor) -> tuple[Tensor, Any]:
        """The step (rows, *event) for step sizes (rows,), and the memory if it is taken."""


@dataclass(frozen=True)
class Steepest(Direction):
    """z' = z - η ∇u(z)."""

    def begin(self, z: Tensor) -> tuple[()]:
        return ()

    def step(self, memory: tuple[()], grad: Tensor, size: Tensor) -> tuple[Tensor, tuple[()]]:
        return -rows(size, grad) * grad, memory


class _Velocity(NamedTuple):
    velocity: Tensor


@dataclass(frozen=True)
class HeavyBall(Direction):
    """v' = μ v - η ∇u(z), z' = z + v': the last step is carried on.

    Args:
        momentum: μ, 0 <= μ < 1.

    Source: Polyak 1964; O'Donoghue, Candès 2015, arXiv:1204.3982 (restart where u rises).
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        _require_rate("momentum", self.momentum)

    def begin(self, z: Tensor) -> _Velocity:
        return _Velocity(torch.zeros_like(z))

    def step(self, memory: _Velocity, grad: Tensor, size: Tensor) -> tuple[Tensor, _Velocity]:
        velocity = self.momentum * memory.velocity - rows(size, grad) * grad
        return velocity, _Velocity(velocity)


class _Moments(NamedTuple):
    seen: Tensor
    mean: Tensor
    square: Tensor


@dataclass(frozen=True)
class AdaptiveMoments(Direction):
    """z' = z - η m̂ / (√ŝ + ε), m̂ and ŝ the running means of ∇u and (∇u)²: Adam.

    Args:
        mean_decay, square_decay: how much of each mean is kept at a step, in [0, 1).
        floor: ε > 0, beside the root of the mean square.

    Source: Kingma, Ba 2015, arXiv:1412.6980.
    """

    mean_decay: float = 0.9
    square_decay: float = 0.999
    floor: float = 1e-12

    def __post_init__(self) -> None:
        _require_rate("mean_decay", self.mean_decay)
        _require_rate("square_decay", self.square_decay)
        require_positive("floor", self.floor)

    def begin(self, z: Tensor) -> _Moments:
        return _Moments(z.new_zeros(len(z)), torch.zeros_like(z), torch.zeros_like(z))

    def step(self, memory: _Moments, grad: Tensor, size: Tensor) -> tuple[Tensor, _Moments]:
        """-η m̂ / (√ŝ + ε), the means corrected for their start at zero."""
        taken = memory.seen + 1
        mean = torch.lerp(grad, memory.mean, self.mean_decay)
        square = torch.lerp(grad.square(), memory.square, self.square_decay)
        first = rows(1 - self.mean_decay**taken, grad)
        second = rows(1 - self.square_decay**taken, grad)
        # The root of an exact zero has no slope, which an unrolled descent would meet.
        tiny = torch.finfo(grad.dtype).tiny
        scale = (square / second + tiny).sqrt() + self.floor
        return -rows(size, grad) * mean / first / scale, _Moments(taken, mean, square)


def _require_rate(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigurationError(f"{name} is {value}; it must lie in [0, 1)")
