"""Views that change colors in one way: brightness, gray, solarization."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative, require_shares
from ebmlab._rows import rows
from ebmlab.data._random import uniform
from ebmlab.data.views.view import Augmentation, Sometimes, choose
from ebmlab.errors import ShapeError

__all__ = ["Brightness", "Grey", "Solarize", "luminance", "require_colors"]

# Of red, green and blue: ITU-R BT.601.
_LUMINANCE = (0.299, 0.587, 0.114)


def luminance(images: Tensor) -> Tensor:
    """Grey images (n, 1, h, w): 0.299 r + 0.587 g + 0.114 b, or the one channel there is.

    Raises:
        ShapeError: there are neither one nor three channels.
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = require_colors(images).split(1, dim=1)
    a, b, c = _LUMINANCE
    return (a * red).add(green, alpha=b).add(blue, alpha=c)


def require_colors(images: Tensor) -> Tensor:
    """Images (n, 3, h, w), or an error."""
    if images.shape[1] != 3:
        raise ShapeError(f"images have shape {tuple(images.shape)}; expected 1 or 3 channels")
    return images


@dataclass(frozen=True)
class Brightness(Augmentation):
    """Multiply by U(max(0, 1 - amount), 1 + amount) and clamp to [0, 1]; any number of channels.

    Args:
        amount: >= 0.

    Example:
        >>> Brightness().apply(torch.ones(1, 1, 1, 2), (torch.tensor([0.5]),)).flatten()
        tensor([0.5000, 0.5000])
    """

    amount: float = 0.4

    def __post_init__(self) -> None:
        require_non_negative("amount", self.amount)

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Factors (n,)."""
        return (uniform(len(images), rng, max(0.0, 1 - self.amount), 1 + self.amount),)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """Factor times image."""
        return (rows(draws[0], images).to(images.dtype) * images).clamp(0, 1)


@dataclass(frozen=True)
class Grey(Sometimes):
    """Replace every channel by the luminance, with a probability; grey images stay as they are.

    Example:
        >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
        >>> Grey(1.0)(red, torch.Generator()).flatten()
        tensor([0.2990, 0.2990, 0.2990])
    """

    probability: float = 0.2

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """Luminance or image."""
        return choose(draws[0], luminance(images), images)


@dataclass(frozen=True)
class Solarize(Sometimes):
    """Invert what is bright: x ← 1 - x where x >= threshold, with a probability.

    Args:
        probability: for each sample, in [0, 1].
        threshold: the value in [0, 1] from which a pixel is inverted.

    Example:
        >>> Solarize(1.0)(torch.tensor([0.25, 0.75]).reshape(1, 1, 1, 2), torch.Generator())
        tensor([[[[0.2500, 0.2500]]]])

    Source: Grill et al. 2020, arXiv:2006.07733.
    """

    probability: float = 0.2
    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_shares(threshold=self.threshold)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """1 - x or x."""
        return torch.where(rows(draws[0], images) & (images >= self.threshold), 1 - images, images)
