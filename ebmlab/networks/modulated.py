"""A network whose input is scaled and shifted by a latent z."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative

__all__ = ["Modulated"]


class Modulated(nn.Module):
    """network(h ∘ (1 + a(z)) + b(z)), with a and b linear in z: feature-wise modulation.

    At first a and b are small, so that all z begin near network(h).

    Args:
        network: what follows, (n, dim) -> (n, *event).
        dim: length of h.
        codes: length of z.
        spread: standard deviation of the weights of a and b at first.

    Example:
        >>> g = Modulated(nn.Linear(4, 2), dim=4, codes=3)
        >>> g(torch.zeros(5, 4), torch.zeros(5, 3)).shape
        torch.Size([5, 2])

    Source: Perez et al. 2018, arXiv:1709.07871.
    """

    def __init__(self, network: nn.Module, dim: int, codes: int, spread: float = 0.1) -> None:
        super().__init__()
        require_counts(dim=dim, codes=codes)
        require_non_negative("spread", spread)
        self.network = network
        self.modulation = nn.Linear(codes, 2 * dim, bias=False)
        nn.init.normal_(self.modulation.weight, std=spread)

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """The network's output for h (n, dim), modulated by z (n, codes)."""
        a, b = self.modulation(z).chunk(2, dim=-1)
        return self.network(torch.addcmul(h + b, h, a))
