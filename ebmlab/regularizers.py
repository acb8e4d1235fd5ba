"""Functionals of a population of codes that keep it from collapsing."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.checks import require_non_negative, require_positive
from ebmlab.errors import ShapeError
from ebmlab.protocols import Regularizer

__all__ = ["VICReg", "centered"]


def centered(h: Tensor) -> Tensor:
    """Codes (b, d) minus their mean, in float32 or better; raises where b < 2."""
    if h.ndim != 2 or len(h) < 2:
        raise ShapeError(
            f"codes have shape {tuple(h.shape)}; a variance needs (b, d) with b >= 2, so take "
            "larger batches (or drop_last)"
        )
    h = h if h.itemsize >= 4 else h.float()
    return h - h.mean(0)


@dataclass(frozen=True)
class VICReg(Regularizer):
    """Variance and covariance: every dimension keeps its spread, and no two say the same.

    V = ½ Σ_{x,y} mean_j max(0, γ - √(Var h_j + ε)), C = Σ_{x,y} (1/d) Σ_{i≠j} Cov(h)²_ij, and the
    value is std · V + cov · C. The invariance term is the energy's. With both codes the same
    tensor each sum counts it twice. At total collapse the gradient of V vanishes.

    Args:
        std: weight of the variance term.
        cov: weight of the covariance term.
        gamma: γ > 0, the standard deviation asked for.
        eps: ε > 0, inside the root.

    Raises:
        ShapeError: codes are not (b, d) with b >= 2.

    Example:
        >>> VICReg(std=25.0, cov=1.0, eps=1e-4)(torch.zeros(4, 3), torch.zeros(4, 3))
        tensor(24.7500)

    Source: Bardes, Ponce, LeCun 2022, arXiv:2105.04906 (the ½ is in the authors' code).
    """

    std: float = 25.0
    cov: float = 1.0
    gamma: float = 1.0
    eps: float = 1e-4

    def __post_init__(self) -> None:
        require_non_negative("std", self.std)
        require_non_negative("cov", self.cov)
        require_positive("gamma", self.gamma)
        require_positive("eps", self.eps)

    def __call__(self, hx: Tensor, hy: Tensor) -> Tensor:
        """The penalty of two populations (b, d), a scalar."""
        with torch.autocast(hx.device.type, enabled=False):
            return self._penalty(hx) + self._penalty(hy)

    def _penalty(self, h: Tensor) -> Tensor:
        h = centered(h)
        batch, dim = h.shape
        covariance = h.mT @ h / (batch - 1)
        variance = covariance.diagonal()
        spread = (self.gamma - (variance + self.eps).sqrt()).clamp(min=0).mean()
        shared = (covariance.square().sum() - variance.square().sum()) / dim
        return 0.5 * self.std * spread + self.cov * shared
