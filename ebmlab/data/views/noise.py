"""Gaussian noise on images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative
from ebmlab.data.views.view import Augmentation

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise(Augmentation):
    """Add N(0, std²) to every pixel and clamp to [0, 1].

    Args:
        std: >= 0.

    Example:
        >>> Noise(0.0)(torch.full((1, 1, 1, 2), 0.5), torch.Generator())
        tensor([[[[0.5000, 0.5000]]]])
    """

    std: float = 0.1

    def __post_init__(self) -> None:
        require_non_negative("std", self.std)

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Standard normal numbers, as many as pixels."""
        return (torch.randn(images.shape, generator=rng, device=rng.device),)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """Image plus noise."""
        return images.add(draws[0].to(images.dtype), alpha=self.std).clamp_(0, 1)
