"""The sets of points that runs know by name: toys of the plane, and digits as vectors."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab import data
from ebmlab.data import Standardizer, toys
from ebmlab.data.toys import GaussianClusters, KnownToy
from ebmlab.runs.names import named

__all__ = ["POINT_SETS", "PointSet", "point_set"]

# 600 steps of 128 points, five of which epochs make the usual 3,000 steps.
TRAIN, HELD_OUT = 76_800, 20_000
_DIGITS, _LEVELS = 1200, 17


class PointSet(NamedTuple):
    """Points (n, d) to train on and held out.

    `toy` is their law where it is known; `pixels` is how points become images (c, h, w) again,
    where they were.
    """

    points: Tensor
    held_out: Tensor
    toy: KnownToy | None = None
    pixels: tuple[Standardizer, torch.Size] | None = None

    def limited(self, limit: int | None) -> "PointSet":
        """The first `limit` of each, or all."""
        return self._replace(points=self.points[:limit], held_out=self.held_out[:limit])

    def to(self, device: torch.device) -> "PointSet":
        """The same on a device."""
        return self._replace(points=self.points.to(device), held_out=self.held_out.to(device))

    @property
    def dim(self) -> int:
        """Length of a point."""
        return self.points.shape[1]

    @property
    def modes(self) -> Tensor | None:
        """The middles (k, d) of equally likely clusters, where the points lie in such."""
        if not isinstance(self.toy, GaussianClusters):
            return None
        return torch.tensor(self.toy.means, device=self.points.device)

    def images(self, points: Tensor) -> Tensor | None:
        """The images (n, c, h, w) that points are, in [0, 1]; None where they are not."""
        if self.pixels is None:
            return None
        scale, shape = self.pixels
        moved = Standardizer(*(part.to(points) for part in scale)).undo(points)
        return moved.clamp(0, 1).unflatten(1, shape)


def _plane(toy: KnownToy) -> PointSet:
    """Points drawn once and for all."""
    train, held_out = (
        toy(n, torch.Generator().manual_seed(seed)) for seed, n in enumerate((TRAIN, HELD_OUT))
    )
    return PointSet(train, held_out, toy)


def _digits() -> PointSet:
    """1,200 digits and 597 held out, the same ones always, as vectors with a density.

    Gray levels 0 … 16 are spread evenly over 17 intervals of [0, 1], so that the pixels have a
    density; each pixel is then standardized.
    """
    images, _ = data.digits()
    rng = torch.Generator().manual_seed(0)
    images = images[torch.randperm(len(images), generator=rng)]
    levels = (images * (_LEVELS - 1)).round().flatten(1)
    pixels = (levels + torch.rand(levels.shape, generator=rng)) / _LEVELS
    train, held_out = pixels[:_DIGITS], pixels[_DIGITS:]
    scale = Standardizer.fit(train)
    both = scale.apply(train), scale.apply(held_out)
    return PointSet(*both, pixels=(scale, images.shape[1:]))


POINT_SETS: Mapping[str, Callable[[], PointSet]] = {
    "eight-gaussians": partial(_plane, toys.eight_gaussians),
    "two-moons": partial(_plane, toys.two_moons),
    "checkerboard": partial(_plane, toys.checkerboard),
    "spirals": partial(_plane, toys.spirals),
    "pinwheel": partial(_plane, toys.pinwheel),
    "rings": partial(_plane, toys.rings),
    "grid-gaussians": partial(_plane, toys.grid_gaussians),
    "digits": _digits,
}


def point_set(name: str) -> PointSet:
    """The points of this name.

    Raises:
        ConfigurationError: there are none.

    Example:
        >>> point_set("two-moons").held_out.shape, point_set("digits").dim
        (torch.Size([20000, 2]), 64)
    """
    return named("data", name, POINT_SETS)()
