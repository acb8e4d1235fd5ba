"""One affine map of codes for each entry of z."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative

__all__ = ["Operators"]


class Operators(nn.Module):
    """p(h, z) = Σ_k z_k (A_k h + b_k): z chooses a map, and that acts alike on every h.

    A network of h and z side by side may let z mean another thing for each h; here z can only mean
    what is done to all of them. For one-hot z, or any weights. At first every A_k is near the
    identity.

    Args:
        dim: length of h and of the prediction.
        codes: length of z.
        spread: standard deviation of the entries of A_k - 1 at first, times √dim.

    Example:
        >>> p = Operators(dim=4, codes=3, spread=0.0)
        >>> h = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
        >>> torch.equal(p(h, torch.eye(3)[[0, 1, 2, 0, 1]]), h)
        True

    Source: Memisevic, Hinton 2010 (one linear map for each latent transformation); Watter et al.
    2015, arXiv:1506.07365 (locally linear dynamics of codes).
    """

    def __init__(self, dim: int, codes: int, *, spread: float = 0.1) -> None:
        super().__init__()
        require_counts(dim=dim, codes=codes)
        require_non_negative("spread", spread)
        noise = torch.randn(codes, dim, dim) * (spread / dim**0.5)
        self.maps = nn.Parameter(torch.eye(dim) + noise)
        self.shifts = nn.Parameter(torch.zeros(codes, dim))

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """Σ_k z_k (A_k h + b_k) of h (n, dim) and z (n, codes): (n, dim)."""
        each = torch.einsum("kij,nj->nki", self.maps, h) + self.shifts
        return torch.einsum("nk,nki->ni", z, each)
