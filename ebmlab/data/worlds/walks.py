"""What walking worlds share: something at a place, moved in five ways or by any short way."""

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab.data._random import uniform
from ebmlab.data.worlds.world import World

__all__ = ["Walk", "coordinates"]

WAYS = ((0.0, -1.0), (0.0, 1.0), (-1.0, 0.0), (1.0, 0.0), (0.0, 0.0))


class Walk(World):
    """A world whose state ends in a place, (row, column) in pixels, and whose actions are ways.

    Action 0 goes left, 1 right, 2 up, 3 down, by `stride` pixels, and 4 stays. Where the world is
    continuous, an action (n, 2) goes so many pixels down and right, uniform on [-stride, stride].
    A subclass says where such a way ends, and what is seen.
    """

    def __init__(self, stride: float, *, continuous: bool) -> None:
        require_positive("stride", stride)
        self.stride, self.continuous = stride, continuous
        self.codes = None if continuous else len(WAYS)

    @abstractmethod
    def reached(self, place: Tensor, way: Tensor) -> Tensor:
        """Where a way (n, 2) from a place (n, 2) ends."""

    @final
    def act(self, n: int, rng: torch.Generator) -> Tensor:
        """Numbers of ways (n,), or ways (n, 2), all alike."""
        if self.continuous:
            return uniform(2 * n, rng, -self.stride, self.stride).unflatten(0, (n, 2))
        return torch.randint(len(WAYS), (n,), generator=rng, device=rng.device)

    @final
    def step(self, state: Tensor, action: Tensor) -> Tensor:
        """The place at the end of the way; all else stays."""
        ways = torch.tensor(WAYS, dtype=state.dtype, device=state.device)
        way = action.to(state) if self.continuous else self.stride * ways[action]
        return torch.cat([state[:, :-2], self.reached(state[:, -2:], way)], dim=1)


def coordinates(size: int, like: Tensor) -> Tensor:
    """The middles of pixels, 0 … size - 1."""
    return torch.arange(size, dtype=like.dtype, device=like.device)
