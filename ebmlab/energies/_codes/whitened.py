"""Whitening as the head of a joint embedding: codes are compared after they were decorrelated."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_shares
from ebmlab._ranks import gathered
from ebmlab.energies._codes.heads import Sided
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError

__all__ = ["Whitened"]


class Whitened(Sided):
    """E(hx, hy) = energy(W hx, W' hy), each population first given covariance 1 (W-MSE).

    W (h - mean) = L⁻¹ (h - mean) with the Cholesky factor L Lᵀ = (1 - ε) Cov + ε. Collapsed codes
    cannot be whitened, hence need no negatives. The population is the batch: the last batch
    dimension, each leading one on its own; E of a datum depends on the others (`couples`).

    Args:
        energy: of the whitened codes; cosine by default, which is the normalized W-MSE.
        rows: whiten in groups of so many consecutive rows, at least twice as many as dimensions
            (the last one takes what is left over); shuffled batches make them random. None: the
            batch as a whole, and with several ranks all of them.
        eps: ε in [0, 1], in the squared units of the codes; 0 in the paper, where a dimension
            that is constant gives NaN.

    Raises:
        ShapeError: codes have no batch, or too few rows to be whitened.

    Example:
        >>> energy = Whitened()
        >>> h = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
        >>> energy.whiten(5 * h + 1).mT.cov().diagonal()
        tensor([1.0000, 1.0000, 1.0000])

    Source: Ermolov, Siarohin, Sangineto, Sebe 2021, arXiv:2007.06346.
    """

    shows = ("rows", "eps")
    couples = True

    def __init__(
        self, energy: Energy | None = None, rows: int | None = None, eps: float = 1e-6
    ) -> None:
        super().__init__(energy)
        require_shares(eps=eps)
        require_counts(2, rows=2 if rows is None else rows)
        self.rows, self.eps = rows, eps

    def whiten(self, h: Tensor) -> Tensor:
        """Codes (…, b, dim) with mean 0 and covariance 1 over each group of b."""
        if h.ndim < 2:
            raise ShapeError(
                f"codes have shape {tuple(h.shape)}; whitening needs (b, dim), a population"
            )
        with torch.autocast(h.device.type, enabled=False):
            if self.rows is None:
                everyone = gathered("codes", h, batch_dim=h.ndim - 2)
                return self._whiten(h, everyone)
            groups = h.tensor_split(max(1, h.shape[-2] // self.rows), dim=-2)
            return torch.cat([self._whiten(group, group) for group in groups], dim=-2)

    of_x = of_y = whiten

    def _whiten(self, h: Tensor, population: Tensor) -> Tensor:
        b, dim = population.shape[-2:]
        if b < 2 or (self.eps == 0 and b <= dim):
            raise ShapeError(
                f"codes have shape {tuple(h.shape)}: {b} rows of {dim} dimensions cannot be "
                "whitened; take larger batches (at least twice the dimensions) or shorter codes"
            )
        # In float64, so that nearly constant dimensions do not fail in rounding.
        precise, mean = population.double(), population.double().mean(-2, keepdim=True)
        covariance = (precise - mean).mT @ (precise - mean) / (b - 1)
        one = torch.eye(dim, dtype=precise.dtype, device=h.device)
        factor = _cholesky((1 - self.eps) * covariance + self.eps * one)
        white = torch.linalg.solve_triangular(factor, (h.double() - mean).mT, upper=False).mT
        return white.to(h.dtype)


def _cholesky(matrix: Tensor) -> Tensor:
    """The factor; NaN where there is none, which costs no wait for the device."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return torch.where(failed[..., None, None] == 0, factor, torch.nan)
