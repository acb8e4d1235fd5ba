"""Balls that bounce, and are kicked now and then."""

import math

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.data._random import uniform
from ebmlab.data.worlds.walks import coordinates
from ebmlab.data.worlds.world import World
from ebmlab.errors import ConfigurationError

__all__ = ["BouncingBalls"]


class BouncingBalls(World):
    """Equal balls that bounce off walls and off each other without loss; a hidden kick turns one.

    A state is the places and then the velocities of the balls, (row, column) each: (n, 4 balls).
    One frame does not tell where balls go, two or three do, see `Clips.stacked`. Action 1 turns
    the first ball's velocity by a right angle, before the balls move; 0 does nothing. From bounce
    to bounce they fly straight, and each bounce is solved for, so that energy is kept to rounding.
    At first places are uniform where no two balls overlap, and all speeds are `speed`.

    Args:
        balls: 1, 2 or 3.
        size: pixels in either direction.
        radius: of a ball, in pixels.
        speed: pixels per step at first.

    Raises:
        ConfigurationError: a number is out of its range, or so many balls have no room.

    Example:
        >>> world = BouncingBalls(balls=2)
        >>> film = world.clips(4, 5, torch.Generator().manual_seed(0))
        >>> energy = film.states[..., 4:].square().sum(-1)
        >>> film.frames.shape, torch.allclose(energy, torch.tensor(2 * 1.5**2))
        (torch.Size([4, 5, 1, 16, 16]), True)

    Source: Sutskever, Hinton 2007 (bouncing balls); Alder, Wainwright 1959 (from event to event).
    """

    codes = 2

    def __init__(
        self, balls: int = 1, size: int = 16, radius: float = 2.0, speed: float = 1.5
    ) -> None:
        require_counts(balls=balls, size=size)
        require_positive("radius", radius)
        require_positive("speed", speed)
        if balls > 3 or size < 2 * radius * (balls + 1):
            raise ConfigurationError(
                f"{balls} balls of radius {radius} on {size} pixels; at most 3, and size at least "
                "2 radius (balls + 1)"
            )
        self.balls, self.size, self.radius, self.speed = balls, size, radius, speed
        self.low, self.high = radius - 0.5, size - 0.5 - radius
        self.pairs = [(i, j) for j in range(balls) for i in range(j)]

    def start(self, n: int, rng: torch.Generator) -> Tensor:
        """Places that leave room for all, and directions, both uniform: (n, 4 balls)."""
        places = self._places(n, rng)
        while bool((crowded := self._crowded(places)).any()):
            places[crowded] = self._places(int(crowded.sum()), rng)
        angle = uniform(n * self.balls, rng, 0.0, 2 * math.pi).unflatten(0, (n, -1))
        velocities = self.speed * torch.stack([angle.cos(), angle.sin()], dim=-1)
        return torch.cat([places.flatten(1), velocities.flatten(1)], dim=1)

    def act(self, n: int, rng: torch.Generator) -> Tensor:
        """A kick or none, with equal chances: (n,)."""
        return torch.randint(2, (n,), generator=rng, device=rng.device)

    def step(self, state: Tensor, action: Tensor) -> Tensor:
        """The kick, and then a unit of time, from one bounce to the next."""
        p, v = (half.unflatten(1, (-1, 2)) for half in state.chunk(2, dim=1))
        turned = torch.stack([-v[:, 0, 1], v[:, 0, 0]], dim=-1)
        kicked = torch.where(action[:, None] == 1, turned, v[:, 0])
        v = torch.cat([kicked[:, None], v[:, 1:]], dim=1)
        left = torch.ones_like(p[:, 0, 0])
        while bool((left > 0).any()):
            wall, pair = self._until_wall(p, v), self._until_pair(p, v)
            first = torch.cat([wall.flatten(1), pair, left[:, None]], dim=1).amin(1)
            p = (p + first[:, None, None] * v).clamp(self.low, self.high)
            v = torch.where(wall <= first[:, None, None], -v, v)
            v = self._bounced(p, v, pair <= first[:, None])
            left = left - first
        return torch.cat([p.flatten(1), v.flatten(1)], dim=1)

    def render(self, state: Tensor) -> Tensor:
        """Discs, their edges blurred over a pixel: (n, 1, size, size)."""
        places = state.chunk(2, dim=1)[0].unflatten(1, (-1, 2))[..., None, None]
        pixels = coordinates(self.size, state)
        row, column = pixels[:, None] - places[:, :, 0], pixels - places[:, :, 1]
        off = (row.square() + column.square()).sqrt()
        return (self.radius + 0.5 - off).clamp(0, 1).amax(1, keepdim=True)

    def _places(self, n: int, rng: torch.Generator) -> Tensor:
        return uniform(n * 2 * self.balls, rng, self.low, self.high).reshape(n, self.balls, 2)

    def _crowded(self, places: Tensor) -> Tensor:
        """Which rows hold balls that overlap."""
        gaps = [(places[:, i] - places[:, j]).norm(dim=-1) for i, j in self.pairs]
        return torch.stack([*gaps, torch.full_like(places[:, 0, 0], torch.inf)]).amin(0) < (
            2 * self.radius
        )

    def _until_wall(self, p: Tensor, v: Tensor) -> Tensor:
        """When each ball meets the wall ahead in each direction: (n, balls, 2)."""
        ahead = torch.where(v > 0, self.high - p, self.low - p)
        return torch.where(v == 0, torch.inf, ahead / v).clamp(min=0)

    def _until_pair(self, p: Tensor, v: Tensor) -> Tensor:
        """When two balls touch, of those that come nearer: (n, pairs)."""
        times = [p.new_zeros(len(p), 0)]
        for i, j in self.pairs:
            gap, rate = p[:, i] - p[:, j], v[:, i] - v[:, j]
            along, fast = (gap * rate).sum(-1), rate.square().sum(-1)
            beside = along.square() - fast * (gap.square().sum(-1) - 4 * self.radius**2)
            meets = (along < 0) & (beside > 0)
            time = (-along - beside.clamp(min=0).sqrt()) / fast
            times.append(torch.where(meets, time, torch.inf).clamp(min=0)[:, None])
        return torch.cat(times, dim=1)

    def _bounced(self, p: Tensor, v: Tensor, touch: Tensor) -> Tensor:
        """Velocities after the pairs that touch (n, pairs) exchange what leads to each other."""
        for (i, j), now in zip(self.pairs, touch.unbind(1), strict=True):
            gap = p[:, i] - p[:, j]
            toward = ((v[:, i] - v[:, j]) * gap).sum(-1).clamp(max=0) * now
            push = (toward / gap.square().sum(-1))[:, None] * gap
            v = v.clone()
            v[:, i] -= push
            v[:, j] += push
        return v
