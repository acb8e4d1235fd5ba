"""Digits as vectors of length one, and the objective of sparse coding, written plainly."""

import torch
from torch import Tensor

from ebmlab.data import digits
from ebmlab.energies import unit


def vectors() -> tuple[Tensor, Tensor]:
    """1,500 digits to train on and 297 to test, float32."""
    images, _ = digits()
    y = images.flatten(1)
    y = unit(y - y.mean(0))
    return y[:1500], y[1500:]


def some(y: Tensor, k: int) -> Tensor:
    """k different data."""
    return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))[:k]]


def objective(d: Tensor, y: Tensor, z: Tensor, weight: float) -> Tensor:
    """‖z D - y‖² + λ ‖z‖₁ of atoms d (k, dim), per datum."""
    return (z @ d - y).square().sum(-1) + weight * z.abs().sum(-1)
