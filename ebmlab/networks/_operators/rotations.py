"""Rotations of codes by an angle."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError

__all__ = ["Rotations"]


class Rotations(nn.Module):
    """p(h, z) turns plane j of h by m_j z: every angle z acts alike on every h, 2π as 0.

    ((h_2j, h_2j+1) as complex numbers) · exp(i m_j z), with whole frequencies m_j. Any group of
    rotations by one angle has this form in some basis, which the encoder is free to take. It is
    cheaper than an exponential of matrices, and exact for z of any size.

    Args:
        dim: length of h and of the prediction, even.
        frequencies: the largest m; m_j runs through 1, …, frequencies again and again.

    Raises:
        ConfigurationError: dim is odd.

    Example:
        >>> h = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
        >>> Rotations(4, frequencies=2)(h, torch.tensor([[torch.pi / 2]])).round(decimals=3) + 0.0
        tensor([[ 0.,  1., -1.,  0.]])

    Source: Cohen, Welling 2014, arXiv:1402.4437 (irreducible representations of rotations).
    """

    orders: Tensor

    def __init__(self, dim: int, frequencies: int = 4) -> None:
        super().__init__()
        require_counts(dim=dim, frequencies=frequencies)
        if dim % 2:
            raise ConfigurationError(f"dim is {dim}; planes need an even number")
        orders = 1 + torch.arange(dim // 2) % frequencies
        self.register_buffer("orders", orders.to(torch.get_default_dtype()))

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """h (n, dim), turned by angles z (n, 1) in radians: (n, dim)."""
        angle = z * self.orders
        cos, sin = angle.cos(), angle.sin()
        a, b = h.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([cos * a - sin * b, sin * a + cos * b], dim=-1).flatten(-2)
