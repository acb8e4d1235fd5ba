"""Codes of patches: a teacher's, and their prediction from the codes of others."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_counts
from ebmlab.errors import ShapeError
from ebmlab.networks._backbones.blocks import Block, begin_uniform
from ebmlab.networks._backbones.patches import assembled
from ebmlab.networks._backbones.positions import sine_cosine
from ebmlab.networks._backbones.vit import ViT

__all__ = ["BlockPredictor", "PatchCodes"]


class PatchCodes(nn.Module):
    """Codes of some patches of whole images, each normalized: (n, targets * t, dim).

    (h - mean h) / √(var h + ε) over the entries of each code: where all codes are one, theirs are
    one too, but a code cannot shrink.

    Args:
        encoder: of images.

    Example:
        >>> f = PatchCodes(ViT(8, patch=4, dim=12, depth=1, heads=2, channels=1))
        >>> f(torch.zeros(5, 1, 8, 8), torch.tensor([[[2], [3]]] * 5)).shape
        torch.Size([5, 2, 12])
    """

    def __init__(self, encoder: ViT) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor, hidden: Tensor) -> Tensor:
        """The codes at the indices hidden (n, targets, t), counted row by row."""
        h = self.encoder.tokens(images)[:, 1:].take_along_dim(hidden.flatten(1)[..., None], 1)
        return functional.layer_norm(h, h.shape[-1:])


class BlockPredictor(nn.Module):
    """The codes of hidden blocks from the visible patches: (n, targets * t, dim).

    The encoder sees the visible patches only. Its codes, mapped to length `dim` and told their
    places, and for each hidden patch of one block a learned token that is told its place, go
    through blocks of attention; each target by itself. A linear layer leads back to codes.

    Args:
        encoder: of images of the size that it has positions for.
        dim, depth, heads: of the predictor: length of its tokens, number of its blocks, heads of
            their attention.

    Raises:
        ConfigurationError: heads does not divide dim, or 4 does not.
        ShapeError: patches, visible and hidden do not fit each other or the encoder.

    Example:
        >>> f = ViT(8, patch=4, dim=12, depth=1, heads=2, channels=1)
        >>> p = BlockPredictor(f, dim=8, depth=1, heads=2)
        >>> hidden = torch.tensor([[[1], [3]]] * 5)
        >>> p(torch.zeros(5, 1, 16), torch.tensor([[2]] * 5), hidden).shape
        torch.Size([5, 2, 12])

    Source: Assran et al. 2023, arXiv:2301.08243.
    """

    positions: Tensor

    def __init__(self, encoder: ViT, *, dim: int = 384, depth: int = 6, heads: int = 12) -> None:
        super().__init__()
        require_counts(dim=dim, depth=depth, heads=heads)
        self.encoder = encoder
        self.entries = encoder.patch**2 * encoder.channels
        self.enter = nn.Linear(encoder.dim, dim)
        self.mask = nn.Parameter(torch.empty(1, 1, dim))
        places = sine_cosine(encoder.side, dim)[1:].to(torch.get_default_dtype())
        self.register_buffer("positions", places)
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.leave = nn.Linear(dim, encoder.dim)
        for part in (self.enter, self.blocks, self.leave):
            begin_uniform(part)
        begin_uniform(self.norm, self.mask)

    def forward(self, patches: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """The codes of the hidden patches, target after target.

        Args:
            patches: the visible ones (n, k, entries), entries as `networks.patched` orders them.
            visible: their indices (n, k), all different, counted row by row.
            hidden: those of the targets (n, targets, t).
        """
        n, k = visible.shape
        if patches.shape != (n, k, self.entries) or hidden.ndim != 3 or len(hidden) != n:
            raise ShapeError(
                f"patches have shape {tuple(patches.shape)}, visible {tuple(visible.shape)}, "
                f"hidden {tuple(hidden.shape)}; expected (n, k, {self.entries}), (n, k) and "
                "(n, targets, t)"
            )
        side, (_, targets, t) = self.encoder.side, hidden.shape
        images = assembled(patches, visible, (side, side), self.encoder.patch)
        seen = self.enter(self.encoder.tokens(images, visible)[:, 1:]) + self.positions[visible]
        asked = self.mask + self.positions[hidden.flatten(0, 1)]
        h = torch.cat([seen.repeat_interleave(targets, 0), asked.to(seen.dtype)], dim=1)
        told = self.leave(self.norm(self.blocks(h))[:, k:])
        return told.reshape(n, targets * t, -1)
