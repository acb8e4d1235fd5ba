"""A network that leads noisy vectors back, told how noisy they are."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts

__all__ = ["Denoiser"]


class Denoiser(nn.Module):
    """f(σ, y) = y - σ (y - g(y/s, log σ)) / s,  s = √(1 + σ²), g a residual network of vectors.

    For data of unit scale. g starts at 0, where ‖y - f‖²/2σ² = ‖y‖²/2(1 + σ²): the energy of a
    unit Gaussian at every noise level. What g is given, and what it gives, is of order 1 at any σ.

    Args:
        dim: length of y.
        width: of the hidden layers.
        depth: residual blocks.
        waves: cosines and sines of log σ each that tell the level.

    Example:
        >>> Denoiser(3, width=8)(torch.ones(5, 1), torch.zeros(5, 3)).shape
        torch.Size([5, 3])

    Source: scaled as in Karras, Aittala, Aila, Laine 2022, arXiv:2206.00364, but for an energy.
    """

    frequencies: Tensor

    def __init__(self, dim: int, width: int = 256, depth: int = 2, waves: int = 8) -> None:
        super().__init__()
        require_counts(dim=dim, width=width, depth=depth, waves=waves)
        self.enter = nn.Linear(dim, width)
        self.level = nn.Sequential(nn.Linear(2 * waves, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_Residual(width) for _ in range(depth))
        self.leave = _silent(width, dim)
        # Half a turn to two turns from e⁻² to e²: the levels in use are told apart, none is alone.
        self.register_buffer("frequencies", torch.linspace(0.4, 3.0, waves))

    def forward(self, sigma: Tensor, y: Tensor) -> Tensor:
        """f for noise levels (n, 1) and noisy y (n, dim)."""
        scale = (1 + sigma.square()).sqrt()
        return y - sigma * (y - self._g(sigma.log(), y / scale)) / scale

    def _g(self, logs: Tensor, scaled: Tensor) -> Tensor:
        turns = logs * self.frequencies
        h = self.enter(scaled) + self.level(torch.cat([turns.cos(), turns.sin()], -1))
        for block in self.blocks:
            h = block(h)
        return self.leave(nn.functional.silu(h))


def _silent(inputs: int, outputs: int) -> nn.Linear:
    """A layer that gives 0 until it learns."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.into = nn.LayerNorm(width), nn.Linear(width, width)
        self.back = _silent(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.back(nn.functional.silu(self.into(self.norm(h))))
