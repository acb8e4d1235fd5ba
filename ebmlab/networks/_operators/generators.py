"""Flows of codes: z says how long each generator acts."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative
from ebmlab._precise import precise

__all__ = ["LieOperators"]


class LieOperators(nn.Module):
    """p(h, z) = exp(Σ_k z_k G_k) h: a continuous z says how far to go along each generator.

    z = 0 is the identity, and -z undoes z; along one generator, z and z' in turn are z + z'.
    With skew generators, Gᵀ = -G, the maps are rotations and ‖p(h, z)‖ = ‖h‖; free ones may also
    stretch. The exponential is taken in float32 or better.

    Args:
        dim: length of h and of the prediction.
        codes: length of z.
        skew: whether generators are skew.
        spread: standard deviation of the entries of G_k at first, times √dim.

    Example:
        >>> p = LieOperators(dim=4, codes=2)
        >>> h, z = torch.ones(5, 4), torch.full((5, 2), 0.5)
        >>> torch.allclose(p(p(h, z), -z), h, atol=1e-6)
        True

    Source: Rao, Ruderman 1998; Culpepper, Olshausen 2009 (transport operators).
    """

    def __init__(self, dim: int, codes: int, *, skew: bool = True, spread: float = 0.1) -> None:
        super().__init__()
        require_counts(dim=dim, codes=codes)
        require_non_negative("spread", spread)
        self.skew = skew
        # Half the difference of two entries has 1 / √2 of the spread of each.
        scale = spread * (2 if skew else 1) ** 0.5 / dim**0.5
        self.free = nn.Parameter(scale * torch.randn(codes, dim, dim))

    @property
    def generators(self) -> Tensor:
        """G (codes, dim, dim)."""
        return 0.5 * (self.free - self.free.mT) if self.skew else self.free

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """exp(Σ_k z_k G_k) h of h (n, dim) and z (n, codes): (n, dim)."""
        exponent = torch.einsum("nk,kij->nij", z, self.generators)
        return torch.einsum("nij,nj->ni", torch.matrix_exp(precise(exponent)).to(h.dtype), h)
