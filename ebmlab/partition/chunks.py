"""log Σ exp over more terms than fit in memory at once."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError

__all__ = ["log_sum"]


def log_sum(
    terms: Callable[[Tensor], Tensor], count: int, chunk: int, device: torch.device
) -> Tensor:
    """log Σ_i exp(terms(i)) over i = 0 … count - 1, `chunk` of them at a time, in float64.

    Args:
        terms: maps indices (n,) of int64 to log terms (n,).
        count: how many terms.
        chunk: how many at a time, >= 1.
        device: where the indices live.

    Raises:
        ConfigurationError: chunk < 1.

    Example:
        >>> log_sum(lambda i: i.double().log(), 4, 3, torch.device("cpu")).exp()
        tensor(6., dtype=torch.float64)
    """
    if chunk < 1:
        raise ConfigurationError(f"chunk is {chunk}; it must be >= 1")
    total = torch.full((), -torch.inf, dtype=torch.float64, device=device)
    with torch.no_grad():
        for first in range(0, count, chunk):
            index = torch.arange(first, min(first + chunk, count), device=device)
            total = torch.logaddexp(total, terms(index).double().logsumexp(0))
    return total
