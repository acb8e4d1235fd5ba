"""One map of codes near the identity for each entry of z, of low rank."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative

__all__ = ["LowRankOperators"]


class LowRankOperators(nn.Module):
    """p(h, z) = Σ_k z_k (h + U_k V_kᵀ h + b_k): `Operators` with few numbers for each of many z.

    A_k = 1 + U_k V_kᵀ has 2 · dim · rank numbers in place of dim². At first U_k V_kᵀ is small.

    Args:
        dim: length of h and of the prediction.
        codes: length of z.
        rank: columns of U_k and of V_k.
        spread: standard deviation of the entries of U_k V_kᵀ at first, times √dim.

    Example:
        >>> p = LowRankOperators(dim=6, codes=3, rank=2)
        >>> p(torch.zeros(5, 6), torch.eye(3)[[0, 1, 2, 0, 1]]).shape
        torch.Size([5, 6])

    Source: Hu et al. 2021, arXiv:2106.09685 (a change of low rank to a map that is kept).
    """

    def __init__(self, dim: int, codes: int, rank: int, *, spread: float = 0.1) -> None:
        super().__init__()
        require_counts(dim=dim, codes=codes, rank=rank)
        require_non_negative("spread", spread)
        scale = (spread / (dim * rank) ** 0.5) ** 0.5
        self.out = nn.Parameter(scale * torch.randn(codes, dim, rank))
        self.into = nn.Parameter(scale * torch.randn(codes, dim, rank))
        self.shifts = nn.Parameter(torch.zeros(codes, dim))

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """Σ_k z_k (h + U_k V_kᵀ h + b_k) of h (n, dim) and z (n, codes): (n, dim)."""
        inner = torch.einsum("kjr,nj->nkr", self.into, h)
        moved = torch.einsum("nk,kir,nkr->ni", z, self.out, inner)
        return torch.addcmul(moved + z @ self.shifts, z.sum(-1, keepdim=True), h)
