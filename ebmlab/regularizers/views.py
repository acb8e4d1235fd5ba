"""A regularizer over many views: the mean over pairs of different views, nothing done twice."""

from collections import Counter

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab.codes import Codes
from ebmlab.protocols import Regularizer
from ebmlab.regularizers.populations import Population

__all__ = ["over_views"]


def over_views(regularizer: Regularizer, codes: Codes) -> Tensor:
    """Mean of R(x[i], y[j]) over the pairs (i, j) of codes (batch, dim).

    Regularizers are symmetric in their two populations: each pair of codes is looked at in one
    order only, and what penalizes each population on its own looks at each view once.

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
    pairs = [(require_tensor("x", x), require_tensor("y", y)) for x, y in codes.each()]
    if isinstance(regularizer, Population):
        pairs = [(h, h) for pair in pairs for h in pair]
    met = Counter(frozenset(map(id, pair)) for pair in pairs)
    once = {frozenset(map(id, pair)): pair for pair in pairs}
    parts = [count * regularizer(*once[pair]) for pair, count in met.items()]
    return torch.stack(parts).sum() / len(pairs)
