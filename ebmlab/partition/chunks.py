"""log Σ exp over more terms than fit in memory at once."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_counts

__all__ = ["log_sum"]


def log_sum(
    terms: Callable[[Tensor], Tensor], count: int, chunk: int, device: torch.device
) -> Tensor:
    """log Σ_i exp(terms(i)) over i = 0 … count - 1, `chunk` of them at a time, in float64.

    `terms` maps indices (n,), int64 on the device, to log terms (n,).

    Example:
        >>> log_sum(lambda i: i.double().log(), 4, 3, torch.device("cpu")).exp()
        tensor(6., dtype=torch.float64)
    """
    require_counts(chunk=chunk)
    total = torch.full((), -torch.inf, dtype=torch.float64, device=device)
    with torch.no_grad():
        for first in range(0, count, chunk):
            index = torch.arange(first, min(first + chunk, count), device=device)
            total = torch.logaddexp(total, terms(index).double().logsumexp(0))
    return total
