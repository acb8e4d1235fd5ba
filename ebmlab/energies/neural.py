"""Energies that are networks: an MLP of points, convolutional and residual ones of images."""

import torch
from torch import Tensor, nn

from ebmlab import networks
from ebmlab._batched import over_batch
from ebmlab._checks import require_counts, require_number, require_tensor
from ebmlab._events import require_vectors
from ebmlab._slopes import require_floating
from ebmlab.energy import Energy
from ebmlab.kernels.chain import ROWS, WIDEST, Slope, columns, filled, width
from ebmlab.types import Rng, Tree

__all__ = ["MLP", "Constant", "ConvNet", "ResNet"]


class MLP(Energy):
    """E(x, y) = network([x, y]) of vectors: a fully connected network with one output.

    Args:
        dim: length of y.
        x_dim: length of x; 0 makes an energy of y alone.
        hidden: widths of the hidden layers.

    Example:
        >>> MLP(2, x_dim=3)(torch.zeros(4, 1, 3), torch.zeros(1, 5, 2)).shape
        torch.Size([4, 5])
    """

    def __init__(self, dim: int, x_dim: int = 0, hidden: tuple[int, ...] = (128, 128)) -> None:
        super().__init__()
        require_counts(dim=dim)
        require_counts(0, x_dim=x_dim)
        self.takes_x = x_dim > 0
        self.dim, self.x_dim = dim, x_dim
        self.network = networks.MLP(dim + x_dim, 1, hidden)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """The network's output (*batch)."""
        y = require_vectors("y", y, self.dim, "MLP")
        if not self.takes_x:
            return over_batch(self.network, (y, 1)).squeeze(-1)

        def joined(a: Tensor, b: Tensor) -> Tensor:
            return self.network(torch.cat([a, b], dim=-1))

        x = require_vectors("x", x, self.x_dim, "MLP")
        return over_batch(joined, (x, 1), (y, 1)).squeeze(-1)

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """E and ∂E/∂y, back through the layers by hand, without a graph."""
        if not all(isinstance(layer, nn.Linear | nn.SiLU) for layer in self.network):
            return super().value_and_grad(x, y, z, rng=rng)
        if not torch.compiler.is_compiling():
            require_floating(y)
            self.check(x, y, z)
        with torch.no_grad():
            h = require_vectors("y", y, self.dim, "MLP")
            if self.takes_x:
                x = require_vectors("x", x, self.x_dim, "MLP")
                h = torch.cat([x.expand(*y.shape[:-1], x.shape[-1]), y], dim=-1)
            h, grad = _backward_by_hand(self.network, h)
        return h.squeeze(-1), grad[..., -y.shape[-1] :]

    def in_kernel(self) -> Slope | None:
        """Packed are W₁ᵀ, b₁, W₂, b₂, w₃ of two hidden layers with SiLU, padded to one width."""
        kinds = [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear]
        if self.takes_x or [*map(type, self.network)] != kinds:
            return None
        first, second, last = (layer for layer in self.network if isinstance(layer, nn.Linear))
        if max(self.dim, len(first.weight), len(second.weight)) > WIDEST:
            return None
        n = max(ROWS, width(len(first.weight)), width(len(second.weight)))
        rows = [
            filled(columns(first.weight).T, width(self.dim), n),
            filled(first.bias[None], 1, n),
            filled(second.weight, n, n),
            filled(torch.stack([second.bias, last.weight[0]]), 2, n),
        ]
        return Slope("network", torch.cat(rows).detach().flatten(), n, ROWS)


def _backward_by_hand(network: nn.Sequential, h: Tensor) -> tuple[Tensor, Tensor]:
    """A network of linear layers and SiLUs with one output, and its gradient in the input."""
    kept = []
    for layer in network:
        if isinstance(layer, nn.SiLU):
            kept.append(h)
        h = layer(h)
    grad = torch.ones_like(h)
    for layer in reversed(network):
        if isinstance(layer, nn.Linear):
            grad = grad @ layer.weight
        else:
            grad = torch.ops.aten.silu_backward(grad, kept.pop())
    return h, grad


class _Images(Energy):
    """A network of images, normalized in no way over the batch, as an energy."""

    x_ndim = y_ndim = 3
    takes_x = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        return over_batch(self.network, (require_tensor("y", y), 3), names="y").squeeze(-1)


class ConvNet(_Images):
    """E(y) = network(y) of images (*batch, channels, height, width) of any size.

    Args:
        channels: of y.
        width: channels of the first stage; each of the stages doubles them and halves the size.
        stages: how many.

    Example:
        >>> ConvNet(1)(None, torch.zeros(2, 3, 1, 28, 28)).shape
        torch.Size([2, 3])
    """

    def __init__(self, channels: int, width: int = 32, stages: int = 3) -> None:
        super().__init__(networks.ConvNet(channels, 1, width, stages))


class ResNet(_Images):
    """E(y) = w · f(y) + b of images (*batch, channels, height, width), f a residual network.

    Each layer is normalized over channels and pixels of one image (never over the batch: the
    energy of one image must not depend on the others), and SiLU keeps second derivatives smooth.

    Args:
        channels: of y.
        width: channels of the first stage.
        depth: 18, 34, 50 or 101.
        small: the stem for small images, see `networks.ResNet`.

    Example:
        >>> ResNet(1, width=4)(None, torch.zeros(2, 3, 1, 28, 28)).shape
        torch.Size([2, 3])

    Source: Du, Mordatch 2019, arXiv:1903.08689.
    """

    def __init__(
        self, channels: int, width: int = 64, depth: int = 18, *, small: bool = True
    ) -> None:
        f = networks.ResNet(
            depth, channels, small=small, width=width, norm=_each_image, activation=nn.SiLU
        )
        super().__init__(nn.Sequential(f, nn.Linear(f.dim, 1)))


def _each_image(channels: int) -> nn.Module:
    return nn.GroupNorm(1, channels)


class Constant(Energy):
    """E = c, a parameter: added to an energy it is a learnable log Z.

    Args:
        value: where c starts.
        y_ndim: event dimensions of y.

    Example:
        >>> Constant(0.5)(None, torch.zeros(3, 2))
        tensor([0.5000, 0.5000, 0.5000], grad_fn=<ExpandBackward0>)
    """

    takes_x = False

    def __init__(self, value: float = 0.0, y_ndim: int = 1) -> None:
        super().__init__()
        require_number(value=value)
        self.y_ndim = self.y_event = y_ndim
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """c, for each datum."""
        y = require_tensor("y", y)
        kind = y.dtype if y.is_floating_point() else self.value.dtype
        return self.value.to(kind).expand(y.shape[: y.ndim - self.y_event])

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """c and a slope of 0, which autograd would miss."""
        require_floating(y)
        return self(x, y).detach(), torch.zeros_like(y)
