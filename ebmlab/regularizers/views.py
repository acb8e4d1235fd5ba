"""A regularizer over many views: the mean over pairs of different views, nothing done twice."""

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab.codes import Codes
from ebmlab.protocols import Regularizer
from ebmlab.regularizers.populations import Population

__all__ = ["over_views"]


def over_views(regularizer: Regularizer, codes: Codes) -> Tensor:
    """Mean of R(x[i], y[j]) over the pairs (i, j) of codes (batch, dim).

    Regularizers are symmetric in their two populations: two codes are looked at in one order only,
    and by what penalizes each population on its own once a view.

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
        sides = [h for pair in pairs for h in pair]
        each = {id(h): h for h in sides}
        met = [sum(side is h for side in sides) for h in each.values()]
        parts = [k * regularizer.of(h) for k, h in zip(met, each.values(), strict=True)]
        return torch.stack(parts).sum() / len(sides)
    known = {frozenset((id(x), id(y))): (x, y) for x, y in pairs}
    met = [sum({id(x), id(y)} == key for x, y in pairs) for key in known]
    parts = [k * regularizer(x, y) for k, (x, y) in zip(met, known.values(), strict=True)]
    return torch.stack(parts).sum() / len(pairs)
