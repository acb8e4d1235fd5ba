"""Images cut into square patches, and put together again."""

import torch
from einops import rearrange
from torch import Tensor

from ebmlab.errors import ShapeError

__all__ = ["assembled", "hidden_patches", "patched"]


def patched(images: Tensor, patch: int) -> Tensor:
    """Patches (*batch, count, patch² c) of images (*batch, c, h, w), row by row.

    A patch's entries run over its rows, its columns, and the channels.

    Raises:
        ShapeError: images have fewer than three dimensions, or patch does not divide h and w.

    Example:
        >>> patched(torch.arange(8.0).reshape(1, 2, 4), 2)
        tensor([[0., 1., 4., 5.],
                [2., 3., 6., 7.]])
    """
    if images.ndim < 3 or images.shape[-2] % patch or images.shape[-1] % patch:
        raise ShapeError(
            f"images have shape {tuple(images.shape)}; expected (*batch, c, h, w) with h and "
            f"w multiples of the patch, {patch}"
        )
    return rearrange(images, "... c (i p) (j q) -> ... (i j) (p q c)", p=patch, q=patch)


def assembled(patches: Tensor, indices: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """Images (n, c, h, w) made of some of their patches; they are 0 where a patch is missing.

    Args:
        patches: (n, k, patch² c), as `patched` cuts them.
        indices: their places (n, k), counted row by row.
        grid: how many patches there are down and across.
        patch: height and width of one.

    Example:
        >>> images = torch.rand(2, 3, 4, 6)
        >>> every = torch.arange(6).expand(2, 6)
        >>> torch.equal(assembled(patched(images, 2), every, (2, 3), 2), images)
        True
    """
    n, _, entries = patches.shape
    blank = patches.new_zeros(n, grid[0] * grid[1], entries)
    full = blank.scatter(1, indices[..., None].expand_as(patches), patches)
    return rearrange(full, "n (i j) (p q c) -> n c (i p) (j q)", i=grid[0], p=patch, q=patch)


def hidden_patches(visible: Tensor, count: int) -> Tensor:
    """The indices (n, count - k) of 0 … count - 1 that are not among the visible ones, in order.

    Example:
        >>> hidden_patches(torch.tensor([[3, 0]]), 5)
        tensor([[1, 2, 4]])
    """
    n, k = visible.shape
    hidden = torch.ones(n, count, device=visible.device).scatter(1, visible, 0.0)
    return hidden.argsort(dim=1, descending=True, stable=True)[:, : count - k]
