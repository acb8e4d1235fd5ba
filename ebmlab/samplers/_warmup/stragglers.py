"""Which chains have come in, told by their energies."""

import math

from torch import Tensor

__all__ = ["near"]


def near(energy: Tensor, dim: int) -> Tensor:
    """Which chains are no higher than the median chain and what a Gaussian may add, (chains,).

    On a Gaussian in d dimensions the energy of a draw has variance d / 2 and an exponential tail;
    √(d / 2) five times and five more are exceeded about once in 10⁴ draws. One chain far out
    would outweigh all others in a second moment, however many they are.

    Args:
        energy: of each chain, (chains,).
        dim: d, the size of an event.

    Example:
        >>> import torch
        >>> near(torch.tensor([1.0, 2.0, 1.5, 1e6]), dim=2)
        tensor([ True,  True,  True, False])
    """
    return energy <= energy.median() + 5 * math.sqrt(dim / 2) + 5
