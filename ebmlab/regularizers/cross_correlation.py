"""Cross-correlation: Barlow Twins' functional of two populations."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_non_negative, require_positive
from ebmlab._precise import precise
from ebmlab.protocols import Regularizer
from ebmlab.regularizers.gram import squared_products
from ebmlab.regularizers.populations import everyone, require_sides

__all__ = ["BarlowTwins"]


@dataclass(frozen=True)
class BarlowTwins(Regularizer):
    """Cross-correlation near the identity: each dimension agrees with itself, and with no other.

    Σ_i (C_ii - 1)² + λ Σ_{i≠j} C_ij² with C = ẑxᵀ ẑy / b, each dimension of ẑ having mean 0 and
    variance 1 over the batch. The first sum is the invariance, so that the energy's weight may be
    0. Where b < d no d × d matrix is made. A dimension that is constant has C_ii = 0 and a
    finite gradient. With several ranks the population is that of all of them.

    Args:
        off_diagonal: λ.
        eps: added to the variances, > 0.

    Example:
        >>> h = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> BarlowTwins()(h, h) < 1e-8, BarlowTwins()(h, -h)
        (tensor(True), tensor(7.9999))

    Source: Zbontar, Jing, Misra, LeCun, Deny 2021, arXiv:2103.03230.
    """

    off_diagonal: float = 0.0051
    eps: float = 1e-5

    def __post_init__(self) -> None:
        require_non_negative("off_diagonal", self.off_diagonal)
        require_positive("eps", self.eps)

    def __call__(self, hx: Tensor, hy: Tensor, *, groups: Tensor | None = None) -> Tensor:
        """The value for two populations (b, d), a scalar."""
        require_sides(hx, hy)
        with torch.autocast(hx.device.type, enabled=False):
            zx = self._normalized(hx)
            zy = zx if hx is hy else self._normalized(hy)
            batch, (same, squares) = len(zx), _products(zx, zy)
            off = (squares - same.square().sum()) / batch**2
            return (same / batch - 1).square().sum() + self.off_diagonal * off

    def _normalized(self, h: Tensor) -> Tensor:
        h = everyone(precise(h))
        return functional.batch_norm(h, None, None, training=True, eps=self.eps)


def _products(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The diagonal (d) of aᵀ b, and ‖aᵀ b‖²."""
    if len(a) < a.shape[1]:
        return (a * b).sum(0), squared_products(a, b)
    products = a.mT @ b
    return products.diagonal(), products.square().sum()
