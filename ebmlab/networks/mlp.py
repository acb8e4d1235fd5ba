"""Fully connected networks."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["MLP", "Conditional"]


class MLP(nn.Sequential):
    """Linear layers with an activation between: (n, inputs) -> (n, outputs).

    Args:
        inputs, outputs: sizes.
        hidden: widths of the hidden layers.
        activation: makes the module between two layers; smooth by default, since energies are
            differentiated twice.

    Example:
        >>> MLP(2, 3, hidden=(16,))(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: tuple[int, ...] = (128, 128),
        activation: Callable[[], nn.Module] = nn.SiLU,
    ) -> None:
        sizes = (inputs, *hidden, outputs)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), activation()]
        super().__init__(*layers[:-1])


class Conditional(nn.Module):
    """A network of two inputs: network([x, z]) from vectors x and z side by side.

    Example:
        >>> g = Conditional(MLP(3, 2))
        >>> g(torch.zeros(4, 1), torch.zeros(4, 2)).shape
        torch.Size([4, 2])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """network([x, z])."""
        return self.network(torch.cat([x, z], dim=-1))
