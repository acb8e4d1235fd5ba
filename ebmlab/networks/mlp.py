"""Fully connected networks: plain, of two inputs, one head per code, and projectors."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.networks.batch_norm import BatchNorm

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
        require_counts(inputs=inputs, outputs=outputs)
        for width in hidden:
            require_counts(hidden=width)
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
        require_counts(codes=codes)
        self.network = network
        self.codes = codes

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Σ_k z_k network(x)_k."""
        each = self.network(x).unflatten(-1, (self.codes, -1))
        return torch.einsum("nk,nkd->nd", z, each)


class Projector(nn.Sequential):
    """Linear, batch normalization, ReLU for each hidden layer, then linear: to the codes compared.

    Args:
        inputs, hidden, outputs: sizes.
        layers: how many of them are linear, at least 1.
        last: what follows them; a normalization, before which the last one needs no bias.

    Raises:
        ConfigurationError: no layers.

    Example:
        >>> Projector(8, 16, 4)(torch.randn(5, 8)).shape
        torch.Size([5, 4])
        >>> Projector(8, 16, 4, layers=3, last=BatchNorm(4))(torch.randn(5, 8)).shape
        torch.Size([5, 4])

    Source: Grill et al. 2020, arXiv:2006.07733; Chen, He 2021, arXiv:2011.10566, for a
    normalization at the end.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        *,
        layers: int = 2,
        last: nn.Module | None = None,
    ) -> None:
        require_counts(inputs=inputs, hidden=hidden, outputs=outputs, layers=layers)
        *sizes, width = (inputs, *[hidden] * (layers - 1))
        parts: list[nn.Module] = []
        for before, after in itertools.pairwise((*sizes, width)):
            parts += [nn.Linear(before, after, bias=False), BatchNorm(after), nn.ReLU()]
        parts.append(nn.Linear(width, outputs, bias=last is None))
        super().__init__(*parts, *([] if last is None else [last]))
