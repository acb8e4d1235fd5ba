"""Views that leave nothing of an image but its size: one gray level, or noise alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._rows import rows
from ebmlab.data._random import uniform
from ebmlab.data.views.view import Augmentation
from ebmlab.errors import ConfigurationError

__all__ = ["Flat", "Static"]


@dataclass(frozen=True)
class Flat(Augmentation):
    """Replace every pixel by one gray level, U(low, high), of each sample's own.

    No detail is left, so that likelihoods of images tend to call them ordinary.

    Args:
        low, high: darkest and brightest level, 0 <= low <= high <= 1.

    Example:
        >>> Flat(0.25, 0.25)(torch.rand(1, 1, 1, 3), torch.Generator()).flatten()
        tensor([0.2500, 0.2500, 0.2500])
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ConfigurationError(
                f"low is {self.low}, high {self.high}; expected 0 <= low <= high <= 1"
            )

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Gray levels (n,)."""
        return (uniform(len(images), rng, self.low, self.high),)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """The level everywhere."""
        return rows(draws[0], images).to(images.dtype).expand_as(images).contiguous()


@dataclass(frozen=True)
class Static(Augmentation):
    """Replace every pixel by U(0, 1), each on its own.

    Example:
        >>> images = Static()(torch.zeros(2, 1, 28, 28), torch.Generator().manual_seed(0))
        >>> bool((images.mean() - 0.5).abs() < 0.05)
        True
    """

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Uniform numbers, as many as pixels."""
        return (torch.rand(images.shape, generator=rng, device=rng.device),)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """The noise alone."""
        return draws[0].to(images.dtype)
