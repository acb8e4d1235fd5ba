"""Tables of counts: what a token costs from how often it stood there, or beside its neighbors."""

import torch
from torch import Tensor

__all__ = ["beside_bits", "single_bits"]

# So many tokens' worth of the shorter table are mixed into the longer one.
MIXED = 2.0


def single_bits(seen: Tensor, y: Tensor, k: int) -> Tensor:
    """-log2 p(y) of tokens (n,), from counts of tokens seen, one added to each of k."""
    return -_single(seen, k)[y].log2()


def beside_bits(seen: Tensor, gaps: tuple[int, ...], beside: Tensor, y: Tensor, k: int) -> Tensor:
    """-log2 p(y | tokens beside it), by counts of the whole pattern mixed with shorter ones.

    p(y | a, b) = (#(a, b, y) + m p(y | a)) / (#(a, b) + m), down to p(y).

    Args:
        seen: tokens to count in, (N,).
        gaps: where the neighbors stand, -1 before y and 1 after it, the last to be left out first.
        beside: the neighbors of each y, (n, len(gaps)).
        y: (n,).
        k: how many tokens there are.

    Example:
        >>> seen = torch.tensor([0, 1] * 50)
        >>> beside_bits(seen, (-1,), torch.tensor([[0]]), torch.tensor([1]), 2).round(decimals=2)
        tensor([0.0300], dtype=torch.float64)
    """
    reach = max(abs(gap) for gap in gaps)
    middle = seen[reach : len(seen) - reach]
    p = _single(seen, k)[y]
    for many in range(1, len(gaps) + 1):
        inside = [seen[reach + gap : len(seen) - reach + gap] for gap in gaps[:many]]
        around, own = _code(inside, k), _code(list(beside[:, :many].T), k)
        total = around.bincount(minlength=k**many)[own]
        both = (around * k + middle).bincount(minlength=k ** (many + 1))[own * k + y]
        p = (both + MIXED * p) / (total + MIXED)
    return -p.log2()


def _single(seen: Tensor, k: int) -> Tensor:
    return (seen.bincount(minlength=k) + 1).double() / (len(seen) + k)


def _code(columns: list[Tensor], k: int) -> Tensor:
    code = torch.zeros_like(columns[0])
    for column in columns:
        code = code * k + column
    return code
