"""Random resized crops."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.data.views.separable import separable
from ebmlab.data.views.view import Augmentation, require_range
from ebmlab.errors import ConfigurationError

__all__ = ["Crop", "Window"]

_TRIES = 10


class Window(NamedTuple):
    """Where each crop lies, in whole pixels: four tensors (n,)."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


@dataclass(frozen=True)
class Crop(Augmentation):
    """Cut out a random box and resize it, by bilinear interpolation that is always antialiased.

    The box covers a share of the area U(scale), its width by its height is exp(U(log ratio)), in
    whole pixels, anywhere it fits. Shape and share are redrawn up to ten times until it does;
    failing that, it is the largest central box within the ratios. Weights are
    max(0, 1 - |i - c| / s) over the box's pixels, normalized, with s = max(1, box / size): the
    filter widens where the image shrinks. Pixels outside the box do not count.

    Args:
        size: of the result, (height, width) or both at once.
        scale: smallest and largest share of the area, in (0, 1].
        ratio: smallest and largest width / height, > 0.

    Example:
        >>> crop = Crop((8, 16), scale=(0.5, 1.0))
        >>> crop(torch.rand(2, 1, 28, 28), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 16])

    Source: Szegedy et al. 2015, arXiv:1409.4842.
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        require_range("scale", self.scale)
        require_range("ratio", self.ratio)
        if self.scale[1] > 1:
            raise ConfigurationError(f"scale is {self.scale}; a share of the area is at most 1")
        require_counts(size=min(self._both))

    @property
    def _both(self) -> tuple[int, int]:
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def draw(self, images: Tensor, rng: torch.Generator) -> Window:
        """A box for each image."""
        n, (h, w) = len(images), images.shape[-2:]
        u = torch.rand(2 * _TRIES + 2, n, generator=rng, device=rng.device)
        area = h * w * _between(u[:_TRIES], *self.scale)
        ratio = _between(u[_TRIES:-2], *map(math.log, self.ratio)).exp()
        wide, high = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (wide >= 1) & (wide <= w) & (high >= 1) & (high <= h)
        first, found = fits.int().argmax(0, keepdim=True), fits.any(0)
        tallest, widest = self._largest(h, w)
        high = torch.where(found, high.gather(0, first)[0], float(tallest))
        wide = torch.where(found, wide.gather(0, first)[0], float(widest))
        top, left = (
            torch.where(found, (u[i] * (room + 1)).floor(), (room / 2).floor())
            for i, room in ((-2, h - high), (-1, w - wide))
        )
        # A uniform number just below 1 may be rounded up to the end.
        return Window(torch.minimum(top, h - high), torch.minimum(left, w - wide), high, wide)

    def _largest(self, h: int, w: int) -> tuple[int, int]:
        """Height and width of the largest box within the ratios."""
        narrow, broad = self.ratio
        return max(1, min(h, round(w / narrow))), max(1, min(w, round(h * broad)))

    def apply(self, images: Tensor, draws: Window) -> Tensor:
        """The boxes, resized."""
        (height, width), (h, w) = self._both, images.shape[-2:]
        top, left, high, wide = (part.to(images.dtype) for part in draws)
        return separable(images, _resizing(top, high, h, height), _resizing(left, wide, w, width))


def _between(u: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * u


def _resizing(start: Tensor, length: Tensor, old: int, new: int) -> Tensor:
    """Weights (n, new, old) that resize the pixels start ≤ i < start + length to `new` of them."""
    start, length = start[:, None, None], length[:, None, None]
    step = length / new
    pixel = torch.arange(old, dtype=start.dtype, device=start.device) + 0.5
    grid = torch.arange(new, dtype=start.dtype, device=start.device)[:, None] + 0.5
    weight = (pixel - (start + step * grid)).abs_().mul_(-1 / step.clamp(min=1))
    inside = (pixel > start) & (pixel < start + length)
    weight = weight.add_(1).clamp_(min=0).mul_(inside)
    return weight.div_(weight.sum(-1, keepdim=True))
