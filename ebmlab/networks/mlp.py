"""Fully connected networks: plain, of two inputs, one head per code, and projectors."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["MLP", "Choice", "Conditional", "Projector"]


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
    """A network of two vectors side by side: network([x, z]).

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


class Choice(nn.Module):
    """One prediction of x per code: y_k = network(x)_k, mixed by z (one-hot, or any weights).

    Args:
        network: (n, *event) -> (n, codes * outputs).
        codes: length of z.

    Example:
        >>> g = Choice(MLP(1, 3 * 2), codes=3)
        >>> g(torch.zeros(4, 1), torch.eye(3)[[0, 1, 2, 0]]).shape
        torch.Size([4, 2])
    """

    def __init__(self, network: nn.Module, codes: int) -> None:
        super().__init__()
        self.network = network
        self.codes = codes

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Σ_k z_k network(x)_k."""
        each = self.network(x).unflatten(-1, (self.codes, -1))
        return torch.einsum("nk,nkd->nd", z, each)


class Projector(nn.Sequential):
    """Linear, batch normalization, ReLU, linear: from a representation to the codes compared.

    Args:
        inputs, hidden, outputs: sizes.

    Example:
        >>> Projector(8, 16, 4)(torch.randn(5, 8)).shape
        torch.Size([5, 4])

    Source: Grill et al. 2020, arXiv:2006.07733.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__(
            nn.Linear(inputs, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        )
