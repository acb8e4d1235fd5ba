"""A regularizer over many views: the mean over pairs of different views, nothing done twice."""

import torch
from torch import Tensor

from ebmlab.protocols import Regularizer
from ebmlab.regularizers.populations import Population

__all__ = ["over_views"]


def over_views(regularizer: Regularizer, hx: Tensor, hy: Tensor) -> Tensor:
    """Mean of R(hx[i], hy[j]) over i != j, for views (n, batch, dim) and (m, batch, dim).

    Regularizers are symmetric in their two populations. Where hx is hy a pair is therefore needed
    in one order only; and what penalizes each population on its own is needed once a view.

    Example:
        >>> from ebmlab.regularizers import VICReg
        >>> h = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
        >>> pairs = [VICReg()(h[i], h[j]) for i in range(3) for j in range(3) if i != j]
        >>> torch.allclose(over_views(VICReg(), h, h), torch.stack(pairs).mean())
        True
    """
    if isinstance(regularizer, Population):
        return _population(regularizer, hx, hy)
    xs = hx.unbind()
    ys = xs if hx is hy else hy.unbind()
    values = [
        regularizer(a, b)
        for i, a in enumerate(xs)
        for j, b in enumerate(ys)
        if (i < j if hx is hy else i != j)
    ]
    return torch.stack(values).mean()


def _population(regularizer: Population, hx: Tensor, hy: Tensor) -> Tensor:
    if hx is hy:
        return torch.stack([regularizer.of(h) for h in hx]).mean()
    sides = [_side(regularizer, h, len(other)) for h, other in ((hx, hy), (hy, hx))]
    return 0.5 * (sides[0] + sides[1])


def _side(regularizer: Population, views: Tensor, others: int) -> Tensor:
    """The mean penalty of some views, each as often as it meets another one of `others`."""
    met = [others - (i < others) for i in range(len(views))]
    each = [k * regularizer.of(h) for k, h in zip(met, views, strict=True) if k]
    return torch.stack(each).sum() / sum(met)
