import torch
from problems import (
    F64,
    randn,
)
from torch import Tensor, nn

from ebmlab import FunctionEnergy

WIDE = torch.linspace(-14, 14, 113, dtype=F64)


def _value_and_grads(function, *inputs: Tensor) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    value = function(*leaves)
    return [value, *torch.autograd.grad((value * (1 + torch.arange(len(value)))).sum(), leaves)]


class Counted(nn.Module):
    """A linear encoder of the mean over an image of any size; counts the rows it sees."""

    def __init__(self, seed: int = 0, outputs: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(randn(2, outputs, seed=seed))
        self.calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return image.mean((-2, -1)) @ self.weight


def _views(*sizes: int) -> tuple[Tensor, ...]:
    return tuple(randn(4, 2, size, size + 1, seed=size) for size in sizes)


def _pair() -> FunctionEnergy:
    return FunctionEnergy(lambda x, y: ((x - y) ** 4).sum(-1), ("x", "y"))


def _triple() -> FunctionEnergy:
    return FunctionEnergy(
        lambda x, y, z: (x[:, 0] * y[:, 0] + z[:, 0] * y[:, 1]) ** 2, ("x", "y", "z")
    )
