"""A dot in two rooms with a door between them."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.data._random import uniform
from ebmlab.data.worlds.walks import Walk, coordinates
from ebmlab.errors import ConfigurationError

__all__ = ["TwoRooms"]


class TwoRooms(Walk):
    """A dot in a left or a right room, moved by a hidden action; a wall with a door parts them.

    A state is (row, column), the dot's middle. A way goes up or down first, then left or right,
    and stops `stride` before a wall: the outer ones, and that in the middle column but for the
    door, whose rows lie within `stride` of the middle row. In the door a way up or down stops at
    its sides. Walls are gray, the dot is white. At first places are uniform; with the five moves
    all of them lie on a grid of `stride` pixels. A move against a wall looks like none.

    Args:
        size: pixels in either direction, 1 more than a multiple of twice the stride.
        stride: pixels of a move, a whole number >= 2, and how near the dot's middle gets to walls.
        continuous: five moves (left, right, up, down, stay), or any short way (n, 2), see `Walk`.

    Raises:
        ConfigurationError: stride or size is another.

    Example:
        >>> world = TwoRooms()
        >>> right = torch.ones(4, dtype=torch.long)
        >>> states = torch.tensor([[2.0, 6.0], [8.0, 6.0], [8.0, 8.0], [2.0, 14.0]])
        >>> world.step(states, right)[:, 1]
        tensor([ 6.,  8., 10., 14.])

    Source: Sutton, Precup, Singh 1999 (rooms with doors); Sobal et al. 2025, arXiv:2502.14819.
    """

    def __init__(self, size: int = 17, stride: int = 2, *, continuous: bool = False) -> None:
        super().__init__(stride, continuous=continuous)
        require_counts(2, stride=stride)
        require_counts(4 * stride + 1, size=size)
        if (size - 1) % (2 * stride):
            raise ConfigurationError(
                f"size is {size}; it must be 1 more than a multiple of {2 * stride}, twice the "
                "stride, so that the wall stands in the middle of the grid"
            )
        self.size = size
        self.low, self.high, self.middle = stride, size - 1 - stride, (size - 1) // 2

    def start(self, n: int, rng: torch.Generator) -> Tensor:
        """Places uniform over both rooms, or over their grid: (n, 2)."""
        wide, high = self.middle - 2 * self.low, self.high - self.low
        row, column = uniform(2 * n, rng).unflatten(0, (2, n))
        side = torch.randint(2, (n,), generator=rng, device=rng.device)
        if self.continuous:
            row, column = row * high, column * wide
        else:
            row, column = (
                self.stride * (share * (length // self.stride + 1)).floor()
                for share, length in ((row, high), (column, wide))
            )
        return torch.stack([self.low + row, self.low + column + side * self.middle], dim=1)

    def reached(self, place: Tensor, way: Tensor) -> Tensor:
        """Up or down, then left or right, each as far as walls let it."""
        row, column = place.unbind(1)
        down, right = way.unbind(1)
        near, door = (column - self.middle).abs() < self.stride, self.stride
        top = torch.where(near, self.middle - door, self.low)
        bottom = torch.where(near, self.middle + door, self.high)
        row = (row + down).maximum(top).minimum(bottom)
        left = column < self.middle
        shut = ((row - self.middle).abs() > door) & ~near
        first = torch.where(shut & ~left, self.middle + self.stride, self.low)
        last = torch.where(shut & left, self.middle - self.stride, self.high)
        return torch.stack([row, (column + right).maximum(first).minimum(last)], dim=1)

    def render(self, state: Tensor) -> Tensor:
        """The dot, the walls and the door from above: (n, 1, size, size)."""
        pixels = coordinates(self.size, state)
        off = (pixels[:, None] - state[:, 0, None, None]).square() + (
            pixels - state[:, 1, None, None]
        ).square()
        # A dot of radius 1.5, whose edge is blurred over a pixel.
        return (2.0 - off.sqrt()).clamp(0, 1).maximum(0.5 * self._walls(pixels))[:, None]

    def _walls(self, pixels: Tensor) -> Tensor:
        outer = (pixels == 0) | (pixels == self.size - 1)
        opening = (pixels - self.middle).abs() <= self.stride + 1
        inner = ~opening[:, None] & (pixels == self.middle)
        return (outer[:, None] | outer | inner).to(pixels)
