"""Inner products of rows that broadcast."""

import torch
from torch import Tensor

from ebmlab._checks import common_batch

__all__ = ["inner"]


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Σ_k a_k b_k along the last dimension, (*batch), where (*batch, k) never is a tensor.

    Example:
        >>> inner(torch.ones(2, 1, 5), torch.ones(1, 3, 5)).shape
        torch.Size([2, 3])
    """
    product = common_batch({"a": a.shape, "b": b.shape})
    # Multiplied row by row, which is several times faster, unless rows meet more than one.
    if product.numel() <= max(a.numel(), b.numel()):
        return (a * b).sum(-1)
    return torch.einsum("...k,...k->...", a, b)
