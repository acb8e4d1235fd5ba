"""A weight along the way from noise to the data that falls to 0 where they are reached."""

from torch import Tensor

from ebmlab.errors import ConfigurationError

__all__ = ["falling", "require_decay"]


def require_decay(decay: float) -> None:
    """Raise unless a lies in [0, 1)."""
    if not 0 <= decay < 1:
        raise ConfigurationError(f"decay is {decay}; it must lie in [0, 1)")


def falling(t: Tensor, decay: float) -> Tensor:
    """min(1, (1 - t) / (1 - a)): 1 up to t = a, and 0 at t = 1.

    Example:
        >>> import torch
        >>> falling(torch.tensor([0.0, 0.5, 0.75, 1.0]), 0.5)
        tensor([1.0000, 1.0000, 0.5000, 0.0000])
    """
    return ((1 - t) / (1 - decay)).clamp(max=1)
