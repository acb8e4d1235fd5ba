"""Inner products and weighed means of rows that broadcast."""

import torch
from torch import Tensor

from ebmlab._checks import common_batch
from ebmlab._precise import precise_type

__all__ = ["inner", "mean_log"]


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Σ_k a_k b_k along the last dimension, (*batch); never lays out all of (*batch, k).

    Example:
        >>> inner(torch.ones(2, 1, 5), torch.ones(1, 3, 5)).shape
        torch.Size([2, 3])
    """
    product = common_batch({"a": a.shape, "b": b.shape})
    # Multiplied row by row, which is several times faster, unless rows meet more than one.
    if product.numel() <= max(a.numel(), b.numel()):
        return (a * b).sum(-1)
    return torch.einsum("...k,...k->...", a, b)


def mean_log(weights: Tensor, logs: Tensor) -> Tensor:
    """Σ_k w_k l_k of logarithms, (*batch), in float32 or better, where 0 · (-∞) is 0.

    The lowest finite number stands for -∞, and passes no gradient; a sum near it is -∞.

    Example:
        >>> logs = torch.tensor([-torch.inf, -1.0])
        >>> mean_log(torch.tensor([[0.0, 1.0], [0.5, 0.5]]), logs)
        tensor([-1., -inf])
    """
    kind = precise_type(logs.dtype)
    lowest = torch.finfo(kind).min
    with torch.autocast(logs.device.type, enabled=False):
        mean = inner(weights.to(kind), logs.to(kind).clamp(min=lowest))
        return mean.masked_fill(mean < 1e-8 * lowest, -torch.inf)
