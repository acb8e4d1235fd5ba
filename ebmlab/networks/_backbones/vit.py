"""Vision transformers."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks._backbones.blocks import Block, begin_small
from ebmlab.networks._backbones.images import require_channels
from ebmlab.networks._backbones.positions import sine_cosine

__all__ = ["ViT", "vit_small", "vit_tiny"]


class ViT(nn.Module):
    """A vision transformer without its classifier: the code of [cls], or the mean, (n, dim).

    Patches are embedded linearly, positions learned and added, then blocks h ← h + attention(norm
    h), h ← h + MLP(norm h), MLP with GELU and 4 dim hidden units, and a last norm. Images of other
    sizes are served by bicubic interpolation of the positions.

    Args:
        size: height and width of the images that positions are learned for.
        patch: height and width of a patch.
        dim: length of tokens and code.
        depth: number of blocks.
        heads: of the attention.
        channels: of the images.
        fixed: whether positions are sines and cosines, 0 for [cls], and not learned.
        pooled: whether the code is the mean of the patches' codes, and not that of [cls].

    Attributes:
        dim: length of the code.

    Raises:
        ConfigurationError: patch does not divide size, or heads not dim, or 4 not dim where
            positions are fixed.
        ShapeError: images are not (n, channels, h, w) with patch dividing h and w; visible is not
            (n, k).

    Example:
        >>> f = ViT(32, patch=8, dim=24, depth=2, heads=3)
        >>> f(torch.zeros(2, 3, 32, 32)).shape, f(torch.zeros(2, 3, 16, 24)).shape
        (torch.Size([2, 24]), torch.Size([2, 24]))
        >>> f.tokens(torch.zeros(2, 3, 32, 32), torch.tensor([[0, 5], [3, 2]])).shape
        torch.Size([2, 3, 24])

    Source: Dosovitskiy et al. 2021, arXiv:2010.11929; Touvron et al. 2021, arXiv:2012.12877.
    """

    def __init__(
        self,
        size: int = 224,
        patch: int = 16,
        *,
        dim: int = 192,
        depth: int = 12,
        heads: int = 3,
        channels: int = 3,
        fixed: bool = False,
        pooled: bool = False,
    ) -> None:
        super().__init__()
        require_counts(size=size, patch=patch, channels=channels)
        require_counts(dim=dim, depth=depth, heads=heads)
        if size % patch or size < patch:
            raise ConfigurationError(f"patch {patch} does not divide the size {size}")
        self.dim, self.patch, self.channels, self.pooled = dim, patch, channels, pooled
        self.side = size // patch
        self.embedding = nn.Conv2d(channels, dim, patch, patch)
        self.cls = nn.Parameter(torch.empty(1, 1, dim))
        if fixed:
            places = sine_cosine(self.side, dim)[None].to(torch.get_default_dtype())
            self.register_buffer("positions", places)
        else:
            self.positions = nn.Parameter(torch.empty(1, 1 + self.side**2, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        begin_small(self, *self.parameters(recurse=False))

    def forward(self, images: Tensor, visible: Tensor | None = None) -> Tensor:
        """The code (n, dim), of [cls] or pooled; see `tokens`."""
        h = self.tokens(images, visible)
        return h[:, 1:].mean(1) if self.pooled else h[:, 0]

    def tokens(self, images: Tensor, visible: Tensor | None = None) -> Tensor:
        """Codes of [cls] and of the patches, (n, 1 + patches, dim).

        Args:
            images: (n, channels, h, w).
            visible: indices (n, k) of the patches that are seen, counted row by row; the others
                are left out, as in a masked autoencoder. None sees all.
        """
        who = type(self).__name__
        require_channels(who, images, self.channels)
        high, wide = (side // self.patch for side in images.shape[2:])
        if (high * self.patch, wide * self.patch) != tuple(images.shape[2:]) or not high * wide:
            raise ShapeError(
                f"{who} received shape {tuple(images.shape)}; height and width must be multiples "
                f"of the patch, {self.patch}"
            )
        patches = self.embedding(images).flatten(2).mT + self._grid(high, wide)
        if visible is not None:
            if visible.ndim != 2 or len(visible) != len(images):
                raise ShapeError(
                    f"visible has shape {tuple(visible.shape)}; expected ({len(images)}, k)"
                )
            patches = patches.take_along_dim(visible[..., None], 1)
        # Not len(images), which would fix the batch of an exported program.
        cls = (self.cls + self.positions[:, :1]).expand(images.shape[0], -1, -1)
        return self.norm(self.blocks(torch.cat([cls.to(patches.dtype), patches], dim=1)))

    def _grid(self, high: int, wide: int) -> Tensor:
        """Positions (1, high * wide, dim) of a grid of patches."""
        grid = self.positions[:, 1:]
        if (high, wide) == (self.side, self.side):
            return grid
        square = grid.mT.unflatten(2, (self.side, self.side))
        return functional.interpolate(square, (high, wide), mode="bicubic").flatten(2).mT


def vit_tiny(size: int = 224, patch: int = 16, channels: int = 3) -> ViT:
    """ViT-Ti: tokens of 192, 3 heads, 12 blocks; 5,524,416 parameters by default.

    Example:
        >>> with torch.device("meta"):
        ...     vit_tiny(32, patch=4).dim
        192

    Source: Touvron et al. 2021, arXiv:2012.12877.
    """
    return ViT(size, patch, dim=192, heads=3, channels=channels)


def vit_small(size: int = 224, patch: int = 16, channels: int = 3) -> ViT:
    """ViT-S: tokens of 384, 6 heads, 12 blocks; 21,665,664 parameters by default.

    Example:
        >>> with torch.device("meta"):
        ...     vit_small(32, patch=4).dim
        384

    Source: Touvron et al. 2021, arXiv:2012.12877.
    """
    return ViT(size, patch, dim=384, heads=6, channels=channels)
