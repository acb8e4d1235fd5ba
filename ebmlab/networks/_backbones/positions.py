"""Fixed codes for places in a square grid."""

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError

__all__ = ["sine_cosine"]


def sine_cosine(side: int, dim: int) -> Tensor:
    """Codes (1 + side², dim) of [cls], which are 0, and of a grid's places row by row, in float64.

    The first half of a code tells the column c, the second half the row r: sin(c ω_i), cos(c ω_i),
    sin(r ω_i), cos(r ω_i), each for i = 0 … dim / 4 - 1, with ω_i = 10000^(-4 i / dim).

    Raises:
        ConfigurationError: dim is not a multiple of 4.

    Example:
        >>> sine_cosine(2, 4)[3]
        tensor([0.0000, 1.0000, 0.8415, 0.5403], dtype=torch.float64)

    Source: Vaswani et al. 2017, arXiv:1706.03762; in two dimensions as in He, Chen, Xie, Li,
    Dollár, Girshick 2022, arXiv:2111.06377.
    """
    if dim < 1 or dim % 4:
        raise ConfigurationError(f"dim is {dim}; sines and cosines need a multiple of 4")
    omega = 10_000.0 ** (-torch.arange(dim // 4, dtype=torch.float64) * 4 / dim)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * omega
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    grid = torch.cat([waves.repeat(side, 1), waves.repeat_interleave(side, 0)], dim=1)
    return torch.cat([grid.new_zeros(1, dim), grid])
