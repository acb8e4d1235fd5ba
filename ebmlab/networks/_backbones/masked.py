"""A transformer that completes images from some of their patches."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.errors import ShapeError
from ebmlab.networks._backbones.blocks import Block, begin_uniform
from ebmlab.networks._backbones.patches import assembled, hidden_patches
from ebmlab.networks._backbones.positions import sine_cosine
from ebmlab.networks._backbones.vit import ViT

__all__ = ["MaskedAutoencoder"]


class MaskedAutoencoder(nn.Module):
    """The hidden patches of images from the visible ones: (n, k, entries) to (n, m, entries).

    The encoder sees the visible patches only. Its tokens, mapped to length `dim`, are put where
    they belong, with one learned token at every hidden place. Sines and cosines of the positions
    are added; after some blocks and a norm, a linear layer gives the entries of each hidden patch.

    Args:
        encoder: of images of the size that it has positions for; in the paper they are fixed.
        dim, depth, heads: of the decoder: length of its tokens, number of its blocks, heads of
            their attention.

    Raises:
        ConfigurationError: heads does not divide dim, or 4 does not.
        ShapeError: none or all patches are visible, or they do not fit their indices or the
            encoder.

    Example:
        >>> f = ViT(8, patch=4, dim=12, depth=1, heads=2, channels=1, fixed=True)
        >>> g = MaskedAutoencoder(f, dim=8, depth=1, heads=2)
        >>> g(torch.zeros(5, 1, 16), torch.tensor([[2]] * 5)).shape
        torch.Size([5, 3, 16])

    Source: He, Chen, Xie, Li, Dollár, Girshick 2022, arXiv:2111.06377.
    """

    positions: Tensor

    def __init__(self, encoder: ViT, *, dim: int = 512, depth: int = 8, heads: int = 16) -> None:
        super().__init__()
        require_counts(dim=dim, depth=depth, heads=heads)
        self.encoder = encoder
        self.count = encoder.side**2
        self.entries = encoder.patch**2 * encoder.channels
        self.enter = nn.Linear(encoder.dim, dim)
        self.mask = nn.Parameter(torch.empty(1, 1, dim))
        places = sine_cosine(encoder.side, dim)[None].to(torch.get_default_dtype())
        self.register_buffer("positions", places)
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.leave = nn.Linear(dim, self.entries)
        for part in (self.enter, self.blocks, self.leave):
            begin_uniform(part)
        begin_uniform(self.norm, self.mask)

    def forward(self, patches: Tensor, visible: Tensor) -> Tensor:
        """The hidden patches, in the order of their indices.

        Args:
            patches: the visible ones (n, k, entries), entries as `networks.patched` orders them.
            visible: their indices (n, k), all different, counted row by row.
        """
        n, k = visible.shape
        if patches.shape != (n, k, self.entries) or not 0 < k < self.count:
            raise ShapeError(
                f"patches have shape {tuple(patches.shape)}, visible {tuple(visible.shape)}; "
                f"expected (n, k, {self.entries}) and (n, k) with 0 < k < {self.count}"
            )
        grid = (self.encoder.side, self.encoder.side)
        images = assembled(patches, visible, grid, self.encoder.patch)
        h = self.enter(self.encoder.tokens(images, visible))
        cls, seen = h[:, :1], h[:, 1:]
        everywhere = self.mask.to(h.dtype).expand(n, self.count, -1)
        placed = everywhere.scatter(1, visible[..., None].expand_as(seen), seen)
        h = self.norm(self.blocks(torch.cat([cls, placed], dim=1) + self.positions))
        hidden = hidden_patches(visible, self.count)
        return self.leave(h[:, 1:].take_along_dim(hidden[..., None], 1))
