"""Variance and covariance: VICReg's two terms of the population."""

from dataclasses import dataclass

from torch import Tensor

from ebmlab._checks import require_non_negative, require_positive
from ebmlab._limits import bounded
from ebmlab.regularizers.gram import squared_products
from ebmlab.regularizers.populations import Population, centered

__all__ = ["VICReg"]


@dataclass(frozen=True)
class VICReg(Population):
    """Variance and covariance: every dimension keeps its spread, and no two say the same.

    V = ½ Σ_{x,y} mean_j max(0, γ - √(Var h_j + ε)), C = Σ_{x,y} (1/d) Σ_{i≠j} Cov(h)²_ij, and the
    value is std · V + cov · C. The invariance term is the energy's. With both codes the same
    tensor each sum counts it twice. At total collapse the gradient of V vanishes. With several
    ranks the population is that of all of them.

    Args:
        std, cov: weights >= 0 of the two terms.
        gamma: γ > 0, the standard deviation asked for.
        eps: ε > 0, inside the root.

    Example:
        >>> import torch
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

    def penalty(self, h: Tensor) -> Tensor:
        """std · mean_j max(0, γ - √(Var h_j + ε)) + cov · (2/d) Σ_{i≠j} Cov(h)²_ij."""
        h = centered(h)
        batch, dim = h.shape
        squares = h.square().sum(0)
        variance = squares / (batch - 1)
        spread = bounded(self.gamma - (variance + self.eps).sqrt(), low=0).mean()
        shared = (squared_products(h, h) - squares.square().sum()) / (batch - 1) ** 2
        return self.std * spread + self.cov * 2 * shared / dim
