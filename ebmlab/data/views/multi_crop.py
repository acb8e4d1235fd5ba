"""Several views of each image: pairs, and crops of several sizes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.data.views.view import View
from ebmlab.errors import ConfigurationError

__all__ = ["MultiCrop", "Pair"]


@dataclass(frozen=True)
class Pair:
    """Two views of each sample: pair(images, rng) -> (v1, v2).

    Args:
        first: makes v1.
        second: makes v2; None uses the first again, with new draws.

    Example:
        >>> from ebmlab.data.views import Flip
        >>> v1, v2 = Pair(Flip())(torch.rand(4, 1, 8, 8), torch.Generator().manual_seed(0))
        >>> v1.shape == v2.shape
        True
    """

    first: View
    second: View | None = None

    def __call__(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """One view by each."""
        return self.first(images, rng), (self.second or self.first)(images, rng)


@dataclass(frozen=True)
class MultiCrop:
    """Large views that see most of an image, and small ones that see a part of it.

    Args:
        large, small: one view each; at least one is large.

    Example:
        >>> from ebmlab.data.views import Crop
        >>> crops = MultiCrop((Crop(32, (0.4, 1.0)),) * 2, (Crop(16, (0.05, 0.4)),) * 4)
        >>> [len(v[0, 0]) for v in crops(torch.rand(2, 3, 40, 40), torch.Generator())]
        [32, 32, 16, 16, 16, 16]

    Source: Caron et al. 2020, arXiv:2006.09882.
    """

    large: tuple[View, ...]
    small: tuple[View, ...] = ()

    def __post_init__(self) -> None:
        if not self.large:
            raise ConfigurationError("MultiCrop received no large views; pass at least one")

    def __call__(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        """The large views, then the small ones."""
        return tuple(view(images, rng) for view in (*self.large, *self.small))
