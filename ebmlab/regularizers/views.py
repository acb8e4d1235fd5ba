"""A regularizer over many views: the mean over pairs of different views, nothing done twice."""

from collections import Counter
from functools import reduce

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab.codes import Codes
from ebmlab.protocols import Regularizer
from ebmlab.regularizers.populations import Population

__all__ = ["over_views"]


def over_views(regularizer: Regularizer, codes: Codes) -> Tensor:
    """Mean of R(x[i], y[j]) over the pairs (i, j) of codes (things, *moments, dim).

    The rows that R sees are the moments of all things, those of one thing in one group.
    Regularizers are symmetric in their two populations: each pair of codes is looked at in one
    order only, and what penalizes each population on its own looks at each view once. Of a sum
    each term is looked at so.

    Example:
        >>> from ebmlab.codes import different
        >>> from ebmlab.energies import SquaredDistance
        >>> from ebmlab.regularizers import VICReg
        >>> h = tuple(torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0)))
        >>> pairs = [VICReg()(h[i], h[j]) for i in range(3) for j in range(3) if i != j]
        >>> codes = Codes(SquaredDistance(), h, h, different(3, 3))
        >>> torch.allclose(over_views(VICReg(), codes), torch.stack(pairs).mean())
        True
    """
    side = {id(h): h for pair in codes.each() for h in pair}
    rows = {key: _rows(require_tensor("codes", h)) for key, h in side.items()}
    pairs = [(rows[id(x)], rows[id(y)]) for x, y in codes.each()]
    groups = _groups(require_tensor("codes", codes.x[0]))
    terms = [weight * _over(term, pairs, groups) for weight, term in regularizer.weighted()]
    return reduce(torch.add, terms)


def _over(
    regularizer: Regularizer, pairs: list[tuple[Tensor, Tensor]], groups: Tensor | None
) -> Tensor:
    """The mean over pairs of rows, nothing done twice."""
    if isinstance(regularizer, Population):
        pairs = [(h, h) for pair in pairs for h in pair]
    met = Counter(frozenset(map(id, pair)) for pair in pairs)
    once = {frozenset(map(id, pair)): pair for pair in pairs}
    if len(once) == 1:
        return regularizer(*pairs[-1], groups=groups)
    parts = [count * regularizer(*once[pair], groups=groups) for pair, count in met.items()]
    return torch.stack(parts).sum() / len(pairs)


def _rows(h: Tensor) -> Tensor:
    return h.flatten(0, -2) if h.ndim > 2 else h


def _groups(h: Tensor) -> Tensor | None:
    """The thing that each row of codes (things, *moments, dim) is of; None where of another."""
    if h.ndim == 2:
        return None
    things = torch.arange(len(h), device=h.device)
    return things.repeat_interleave(h.shape[1:-1].numel())
