"""Products of tall or wide matrices through the smaller of their two Gram matrices."""

from torch import Tensor

__all__ = ["squared_products"]


def squared_products(a: Tensor, b: Tensor) -> Tensor:
    """‖aᵀ b‖² = ⟨a aᵀ, b bᵀ⟩ of (n, d) and (n, d), whichever of n × n and d × d is smaller.

    Example:
        >>> import torch
        >>> squared_products(torch.ones(2, 3), torch.ones(2, 3))
        tensor(36.)
    """
    if len(a) < a.shape[1]:
        own = a @ a.mT
        return (own * (own if a is b else b @ b.mT)).sum()
    return (a.mT @ b).square().sum()
