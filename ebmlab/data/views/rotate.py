"""Rotation by small angles."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_non_negative
from ebmlab.data._random import uniform
from ebmlab.data.views.view import Augmentation

__all__ = ["Rotate"]


@dataclass(frozen=True)
class Rotate(Augmentation):
    """Rotate about the center by U(-degrees, degrees), counterclockwise being positive.

    Bilinear interpolation; what comes from outside the image is 0.

    Args:
        degrees: the largest angle, >= 0.

    Example:
        >>> image = torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])
        >>> Rotate().apply(image, (torch.tensor([90.0]),)).round(decimals=3)
        tensor([[[[1., 0.],
                  [0., 0.]]]])
    """

    degrees: float = 15.0

    def __post_init__(self) -> None:
        require_non_negative("degrees", self.degrees)

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Angles (n,) in degrees."""
        return (uniform(len(images), rng, -self.degrees, self.degrees),)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """The rotated images."""
        h, w = images.shape[-2:]
        angle = draws[0].to(images.dtype) * (math.pi / 180)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # Where each pixel comes from, in coordinates that run from -1 to 1 over either side.
        x = torch.stack([cos, -sin * (h / w), zero], dim=-1)
        y = torch.stack([sin * (w / h), cos, zero], dim=-1)
        maps = torch.stack([x, y], dim=1)
        grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)
