"""Random changes of brightness, contrast, saturation and hue."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative, require_shares
from ebmlab._rows import rows
from ebmlab.data._random import uniform
from ebmlab.data.views.colors import luminance, require_colors
from ebmlab.data.views.hsv import turn_hue
from ebmlab.data.views.view import Augmentation, choose
from ebmlab.errors import ConfigurationError

__all__ = ["ColorJitter", "Colors"]


class Colors(NamedTuple):
    """Three factors, a turn of the hue (1 is once around) and whether to turn: tensors (n,)."""

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    applied: Tensor


@dataclass(frozen=True)
class ColorJitter(Augmentation):
    """Change brightness, contrast, saturation and hue, in this order, each clamped to [0, 1].

    x ← b x; x ← c x + (1 - c) m, m the image's mean luminance; x ← s x + (1 - s) luminance(x); the
    hue is turned. b, c, s ~ U(max(0, 1 - a), 1 + a), each with its own a. Another order is a
    composition of several. Grey images (one channel) have neither saturation nor hue to change.

    Args:
        brightness, contrast, saturation: a >= 0 each.
        hue: the largest turn, at most 1/2, half around the circle of colors.
        probability: that a sample is changed at all, in [0, 1].

    Example:
        >>> jitter = ColorJitter(0.4, 0.4, 0.4, 0.1)
        >>> jitter(torch.rand(2, 3, 8, 8), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 3, 8, 8])

    Source: Howard 2013, arXiv:1312.5402; Chen et al. 2020, arXiv:2002.05709.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation", "hue"):
            require_non_negative(name, getattr(self, name))
        if self.hue > 0.5:
            raise ConfigurationError(f"hue is {self.hue}; the most is 0.5, half way around")
        require_shares(probability=self.probability)

    def draw(self, images: Tensor, rng: torch.Generator) -> Colors:
        """Factors of 1 and no turn where a sample is left alone."""
        n = len(images)
        applied = uniform(n, rng) < self.probability

        def factor(amount: float) -> Tensor:
            return torch.where(applied, uniform(n, rng, max(0.0, 1 - amount), 1 + amount), 1.0)

        b, c, s = factor(self.brightness), factor(self.contrast), factor(self.saturation)
        turn = torch.where(applied, uniform(n, rng, -self.hue, self.hue), 0.0)
        return Colors(b, c, s, turn, applied)

    def apply(self, images: Tensor, draws: Colors) -> Tensor:
        """The four changes; those whose amount is 0 are skipped."""
        b, c, s, turn = (rows(part, images).to(images.dtype) for part in draws[:4])
        x = images
        if self.brightness:
            x = (b * x).clamp_(0, 1)
        if self.contrast:
            x = torch.lerp(luminance(x.mean((2, 3), keepdim=True)), x, c).clamp_(0, 1)
        if images.shape[1] == 1:
            return x
        if self.saturation:
            x = torch.lerp(luminance(x), x, s).clamp_(0, 1)
        if self.hue:
            # The way through the hue is exact only up to rounding.
            x = choose(draws.applied, turn_hue(require_colors(x), turn.flatten()), x)
        return x
