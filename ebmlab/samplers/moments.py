"""Pooled means and covariances of chains, and the metric that they make."""

import torch
from torch import Tensor

from ebmlab.samplers.metric import IDENTITY, Dense, Diagonal, Identity, Metric

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
    """Mean and covariance of the draws of all chains, pooled, one batch at a time.

    Args:
        like: chains (chains, *event), for their shape, type and device.
        kind: the class of metric that is wanted; only `Dense` needs the covariance in full.

    Example:
        >>> moments = Moments(torch.zeros(2, 1), Diagonal)
        >>> moments.see(torch.tensor([[1.0], [3.0]]))
        >>> moments.mean, moments.variance
        (tensor([2.], dtype=torch.float64), tensor([2.], dtype=torch.float64))

    Source: Welford 1962; Chan, Golub, LeVeque 1983.
    """

    def __init__(self, like: Tensor, kind: type[Metric]) -> None:
        self._like, self._kind = like[0], kind
        dim = self._like.numel()
        shape = (dim, dim) if kind is Dense else (dim,)
        # Sums of many squares need more than single precision.
        self._scatter = torch.zeros(shape, dtype=torch.float64, device=like.device)
        self.mean = self._scatter.new_zeros(dim)
        self.count = 0

    def see(self, y: Tensor) -> None:
        """Add one draw of every chain."""
        flat = y.reshape(len(y), -1).double()
        mean, total = flat.mean(0), self.count + len(flat)
        shift, share = mean - self.mean, len(flat) / total
        between = self._products(shift[None]) * (self.count * share)
        self._scatter = self._scatter + self._products(flat - mean) + between
        self.mean = self.mean + shift * share
        self.count = total

    def _products(self, centered: Tensor) -> Tensor:
        if self._kind is Dense:
            return centered.mT @ centered
        return centered.square().sum(0)

    @property
    def variance(self) -> Tensor:
        """Variances (d,) of the flattened event."""
        scatter = self._scatter.diagonal() if self._kind is Dense else self._scatter
        return scatter / max(self.count - 1, 1)

    def metric(self, former: Tensor) -> tuple[Metric, Tensor]:
        """The metric that these moments make, and its scales (d,) in float64.

        Correlations are shrunk, scales are not, so that units do not matter. A coordinate that
        has not moved beyond rounding keeps its former scale, without correlations.

        Args:
            former: scales (d,) to keep where there is no variance.
        """
        if self._kind is Identity:
            return IDENTITY, former
        limits = torch.finfo(self._like.dtype)
        rounding = (limits.eps * self.mean).square().clamp(min=limits.tiny)
        moved = self.variance > rounding
        scale = torch.where(moved, self.variance.sqrt(), former)
        if self._kind is Diagonal:
            return Diagonal(scale.reshape(self._like.shape).to(self._like.dtype)), scale
        unit = torch.where(moved, 1 / scale, 0.0)
        correlation = unit[:, None] * self._scatter / max(self.count - 1, 1) * unit
        weight = shrinkage(self.count / DRAWS_FOR_ONE, len(scale))
        factor = _factor(correlation, max(weight, 10 * len(scale) * limits.eps))
        return Dense((scale[:, None] * factor).to(self._like.dtype)), scale


def _factor(correlation: Tensor, weight: float) -> Tensor:
    """The Cholesky factor of correlations shrunk towards the identity, more where they need it."""
    while True:
        shrunk = correlation * (1 - min(weight, 1.0))
        factor, failed = torch.linalg.cholesky_ex(shrunk.fill_diagonal_(1.0))
        if not bool(failed):
            return factor
        weight *= 10
