"""Pooled means and covariances of chains, and the metric that they make."""

import torch
from torch import Tensor

from ebmlab.samplers.metric import Dense, Diagonal, Identity, Metric

__all__ = ["Moments", "shrinkage"]

# Successive draws of a chain are alike: so many count for one.
DRAWS_FOR_ONE = 5


def shrinkage(draws: float, dim: int) -> float:
    """The weight (d / (n + d))³ that the identity gets against the correlations of n draws.

    A sample covariance is off by about √(d / n) relative to the true one, along every direction
    and however ill-conditioned it is. So shrinkage is wanted only until draws outnumber
    dimensions, and must then vanish fast: it blurs correlations nearer to 1 than itself.

    Example:
        >>> shrinkage(30, 30)
        0.125
    """
    return (dim / (draws + dim)) ** 3


class Moments:
    """Mean and covariance of draws, pooled over chains, relative to the metric so far.

    In coordinates that this metric whitens, numbers are near 1 however ill-conditioned the target
    is, and shrinking correlations means to keep those that it knows.

    Args:
        like: chains (chains, *event), for their shape, type and device.
        kind: the class of metric that is wanted; only `Dense` needs the covariance in full.
        base: the metric so far.

    Example:
        >>> moments = Moments(torch.zeros(2, 1), Diagonal, Identity())
        >>> moments.see(torch.tensor([[1.0], [3.0], [1e9]]), torch.tensor([1.0, 1.0, 0.0]))
        >>> moments.variance
        tensor([2.], dtype=torch.float64)

    Source: Welford 1962; Chan, Golub, LeVeque 1983.
    """

    def __init__(self, like: Tensor, kind: type[Metric], base: Metric) -> None:
        # Relative to a chain, so that whitening rounds differences and not positions.
        self._origin, self._kind, self._base = like[:1], kind, base
        dim = like[0].numel()
        if kind is Diagonal and isinstance(base, Dense):
            self._base = Diagonal(base.factor.norm(dim=1).reshape(like.shape[1:]))
        shape = (dim, dim) if kind is Dense else (dim,)
        # Sums of many squares need more than single precision.
        self._scatter = torch.zeros(shape, dtype=torch.float64, device=like.device)
        self._mean = self._scatter.new_zeros(dim)
        self._count = self._scatter.new_zeros(())

    def see(self, y: Tensor, weight: Tensor) -> None:
        """Add one draw of every chain of weight 1; those of weight 0 are left out, (chains,)."""
        flat = self._base.whiten(y - self._origin).reshape(len(y), -1).double()
        weight = weight.double()[:, None]
        count = weight.sum()
        mean, total = (weight * flat).sum(0) / count, self._count + count
        shift, share = mean - self._mean, count / total
        between = self._products(shift[None]) * (self._count * share)
        self._scatter = self._scatter + self._products(weight * (flat - mean)) + between
        self._mean = self._mean + shift * share
        self._count = total

    def _products(self, centered: Tensor) -> Tensor:
        if self._kind is Dense:
            return centered.mT @ centered
        return centered.square().sum(0)

    @property
    def variance(self) -> Tensor:
        """Variances (d,) of the flattened, whitened event."""
        scatter = self._scatter.diagonal() if self._kind is Dense else self._scatter
        return scatter / (self._count - 1).clamp(min=1)

    def metric(self) -> Metric:
        """The metric that these moments make.

        Correlations are shrunk, scales are not, so that units do not matter. A coordinate that
        has not moved keeps the scale that it had.
        """
        if self._kind is Identity:
            return self._base
        moved = self.variance > torch.finfo(self._origin.dtype).tiny
        scale = torch.where(moved, self.variance.sqrt(), 1.0)
        like = self._origin
        if self._kind is Diagonal:
            return Diagonal(self._base.spread(scale.to(like).reshape(like.shape))[0])
        unit = torch.where(moved, 1 / scale, 0.0)
        correlation = unit[:, None] * self._scatter / (self._count - 1).clamp(min=1) * unit
        weight = shrinkage(float(self._count) / DRAWS_FOR_ONE, len(scale))
        least = 10 * len(scale) * torch.finfo(like.dtype).eps
        factor = (scale[:, None] * _factor(correlation, max(weight, least))).to(like)
        columns = self._base.spread(factor.mT.reshape(-1, *like.shape[1:]))
        return Dense(columns.reshape(len(scale), -1).mT)


def _factor(correlation: Tensor, weight: float) -> Tensor:
    """The Cholesky factor of correlations shrunk towards the identity, more where they need it."""
    while True:
        shrunk = correlation * (1 - min(weight, 1.0))
        factor, failed = torch.linalg.cholesky_ex(shrunk.fill_diagonal_(1.0))
        if not bool(failed):
            return factor
        weight *= 10
