"""The encoder that a linear decoder is itself."""

from torch import Tensor, nn

__all__ = ["Transposed"]


class Transposed(nn.Module):
    """y -> Wᵀ (y - b) of a linear decoder z -> W z + b, whose parameters it shares.

    The exact code where the columns of W are orthonormal, tied weights elsewhere.

    Example:
        >>> import torch
        >>> decoder = nn.Linear(1, 2)
        >>> Transposed(decoder)(torch.ones(3, 2)).shape
        torch.Size([3, 1])
    """

    def __init__(self, decoder: nn.Linear) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, y: Tensor) -> Tensor:
        """Wᵀ (y - b)."""
        weight, bias = self.decoder.weight, self.decoder.bias
        return (y if bias is None else (y - bias).to(weight.dtype)) @ weight
