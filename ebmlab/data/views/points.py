"""Views of points (n, dim): noise, and rotation in their first two coordinates."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative
from ebmlab.data._random import uniform
from ebmlab.data.views.view import Augmentation
from ebmlab.errors import ShapeError

__all__ = ["PointNoise", "PointRotation"]


@dataclass(frozen=True)
class PointNoise(Augmentation):
    """Add N(0, std²) to every coordinate.

    Args:
        std: >= 0, in the units of the points.

    Example:
        >>> PointNoise()(torch.zeros(4, 2), torch.Generator().manual_seed(0)).shape
        torch.Size([4, 2])
    """

    std: float = 0.1

    def __post_init__(self) -> None:
        require_non_negative("std", self.std)

    @property
    def ndim(self) -> int:
        """(n, dim)."""
        return 2

    def draw(self, points: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Standard normal numbers (n, dim)."""
        return (torch.randn(points.shape, generator=rng, device=rng.device),)

    def apply(self, points: Tensor, draws: tuple[Tensor]) -> Tensor:
        """Point plus noise."""
        return points.add(draws[0].to(points.dtype), alpha=self.std)


@dataclass(frozen=True)
class PointRotation(Augmentation):
    """Rotate the first two coordinates about the origin by U(-degrees, degrees).

    Args:
        degrees: the largest angle, >= 0; 180 forgets the angle.

    Raises:
        ShapeError: points have fewer than two coordinates.

    Example:
        >>> turned = PointRotation().apply(torch.tensor([[1.0, 0.0]]), (torch.tensor([90.0]),))
        >>> turned.round(decimals=3)
        tensor([[-0., 1.]])
    """

    degrees: float = 180.0

    def __post_init__(self) -> None:
        require_non_negative("degrees", self.degrees)

    @property
    def ndim(self) -> int:
        """(n, dim)."""
        return 2

    def draw(self, points: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Angles (n,) in degrees."""
        return (uniform(len(points), rng, -self.degrees, self.degrees),)

    def apply(self, points: Tensor, draws: tuple[Tensor]) -> Tensor:
        """The rotated points."""
        if points.shape[1] < 2:
            raise ShapeError(f"points have shape {tuple(points.shape)}; expected (n, dim >= 2)")
        angle = draws[0].to(points.dtype) * (math.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        first, second = points[:, 0], points[:, 1]
        turned = torch.stack([cos * first - sin * second, sin * first + cos * second], dim=1)
        return torch.cat([turned, points[:, 2:]], dim=1)
