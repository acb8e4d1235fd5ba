"""Images with most of their patches hidden."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks._backbones.patches import hidden_patches, patched

__all__ = ["Masked"]


@dataclass(frozen=True)
class Masked:
    """Show some patches of each image, ask for the others: masked(images, rng) -> (x, y).

    x is (patches, visible): ⌊count (1 - share)⌋ patches (n, k, patch² c) drawn without
    replacement, anew for each image, and their indices (n, k), counted row by row and in order.
    y is the other patches (n, count - k, patch² c), in order too.

    Args:
        patch: height and width of a patch.
        share: of the patches that are hidden, in (0, 1).

    Raises:
        ConfigurationError: patch < 1, rng is missing, or share leaves nothing visible or hidden.
        ShapeError: images are not (n, c, h, w) with patch dividing h and w.

    Example:
        >>> masked = Masked(patch=4, share=0.75)
        >>> (patches, visible), y = masked(torch.rand(5, 1, 8, 8), torch.Generator())
        >>> patches.shape, visible.shape, y.shape
        (torch.Size([5, 1, 16]), torch.Size([5, 1]), torch.Size([5, 3, 16]))

    Source: He, Chen, Xie, Li, Dollár, Girshick 2022, arXiv:2111.06377.
    """

    patch: int
    share: float = 0.75

    def __post_init__(self) -> None:
        require_counts(patch=self.patch)
        if not 0 < self.share < 1:
            raise ConfigurationError(f"share is {self.share}; it must lie in (0, 1)")

    def __call__(
        self, images: Tensor, rng: torch.Generator
    ) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """The visible patches with their indices, and the hidden ones."""
        if images.ndim != 4 or not len(images):
            raise ShapeError(
                f"Masked received shape {tuple(images.shape)}; expected (n, channels, h, w)"
            )
        rng = require_generator(rng, "Masked", images.device)
        patches = patched(images, self.patch)
        n, count, _ = patches.shape
        k = int(count * (1 - self.share))
        if not 0 < k < count:
            raise ConfigurationError(
                f"share is {self.share}: {k} of {count} patches would be visible; some must be, "
                "and some not"
            )
        order = torch.rand(n, count, generator=rng, device=images.device).argsort(dim=1)
        visible = order[:, :k].sort(dim=1).values
        hidden = hidden_patches(visible, count)
        shown, asked = (patches.take_along_dim(i[..., None], 1) for i in (visible, hidden))
        return (shown, visible), asked
