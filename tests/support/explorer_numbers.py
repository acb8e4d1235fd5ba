"""Numbers that are given to the explorer and to the library alike."""

import torch
from torch import Generator, Tensor

__all__ = ["Asked", "Parts", "normal", "number", "uniform"]

Parts = dict[str, Tensor]
# By name: what is given, and the library's answer.
Asked = dict[str, tuple[Parts, Parts]]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def number(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
