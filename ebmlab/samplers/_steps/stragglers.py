"""Which chains have come in, told by their energies."""

import math

from torch import Tensor

__all__ = ["near", "reach"]


def reach(dim: int) -> float:
    """How far the energies of draws may lie apart: 5 √(d / 2) + 5.

    On a Gaussian in d dimensions the energy of a draw has variance d / 2 and an exponential tail;
    this much above the lower quartile is exceeded about once in 10⁴ draws.
    """
    return 5 * math.sqrt(dim / 2) + 5


def near(energy: Tensor, dim: int) -> Tensor:
    """Which chains are within `reach` of the lower quartile of all chains, (chains,).

    One chain far out would outweigh all others in a second moment, however many they are; up to
    three quarters of the chains may be.

    Example:
        >>> import torch
        >>> near(torch.tensor([1.0, 2.0, 1e6, 1e9]), dim=2)
        tensor([ True,  True, False, False])
    """
    return energy <= energy.kthvalue((len(energy) + 3) // 4).values + reach(dim)
