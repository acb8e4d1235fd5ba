"""How far the rest of a datum is from what a network makes of its visible parts."""

import torch
from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import require_non_negative
from ebmlab._events import require_alike
from ebmlab.codes import Codes
from ebmlab.energies._codes.codes import SquaredDistance
from ebmlab.energies._codes.joint import Embedding
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Tree

__all__ = ["Completion", "PatchError"]


class Completion(Embedding):
    """E(x, y) = distance(f(x₁, x₂, …), y), where x is a tuple: visible parts, and where they lie.

    With a target g, y is a tuple too, such as an image and the places that are asked for, and
    E(x, y) = distance(f(x₁, x₂, …), g(y₁, y₂, …)).

    Args:
        network: f, of tensors with one batch dimension each.
        distance: energy of the prediction and of y; squared distance by default.
        target: g, likewise, through which gradients pass unless it stops them; None is y itself.
        x_ndim: event dimensions of each part of x.
        y_ndim: those of each part of y, where there is a target.

    Raises:
        ConfigurationError: one of target and y_ndim is given without the other.

    Example:
        >>> energy = Completion(nn.Bilinear(3, 2, 4), x_ndim=(1, 1))
        >>> energy((torch.zeros(5, 3), torch.zeros(5, 2)), torch.zeros(5, 4)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        network: nn.Module,
        distance: Energy | None = None,
        *,
        target: nn.Module | None = None,
        x_ndim: tuple[int, ...] = (2, 1),
        y_ndim: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        if (target is None) != (y_ndim is None):
            raise ConfigurationError(
                f"target is {target}, y_ndim {y_ndim}; a target encodes the parts of y, whose "
                "event dimensions y_ndim names: pass both, or neither"
            )
        self.network, self.target = network, target
        self.distance = SquaredDistance() if distance is None else distance
        self.x_ndim = self.x_events = x_ndim
        self.y_events = y_ndim
        self.y_ndim = self.distance.y_ndim if y_ndim is None else y_ndim

    def predict(self, x: Tree) -> Tensor:
        """f(x₁, x₂, …), (*batch, *event)."""
        return _of_parts(self.network, "x", x, self.x_events)

    def codes(self, x: Tree, y: Tree) -> Codes:
        """f(x) and y, or g(y), under the distance: f runs once, however many y follow."""
        if self.target is not None and self.y_events is not None:
            y = _of_parts(self.target, "y", y, self.y_events)
        return Codes(self.distance, (self.predict(x),), (y,))


def _of_parts(network: nn.Module, name: str, tree: Tree, events: tuple[int, ...]) -> Tensor:
    if not isinstance(tree, tuple) or len(tree) != len(events):
        got = f"of {len(tree)}" if isinstance(tree, tuple) else f"but {type(tree)}"
        raise ShapeError(f"{name} must be a tuple of {len(events)}, {got} arrived")
    return over_batch(network, *zip(tree, events, strict=True))


class PatchError(Energy):
    """E(x, y) = mean over patches i and their entries j of (x_ij - ŷ_ij)².

    ŷ_i = (y_i - mean y_i) / √(var y_i + ε), with the unbiased variance of the patch's own entries,
    or y_i itself.

    Args:
        normalized: whether each target patch is normalized.
        eps: ε >= 0, inside the root.

    Raises:
        ShapeError: a patch to be normalized has one entry only.

    Example:
        >>> PatchError(normalized=False)(torch.zeros(1, 3, 4), torch.ones(1, 3, 4))
        tensor([1.])

    Source: He, Chen, Xie, Li, Dollár, Girshick 2022, arXiv:2111.06377.
    """

    shows = ("normalized", "eps")
    x_ndim = y_ndim = 2

    def __init__(self, *, normalized: bool = True, eps: float = 1e-6) -> None:
        super().__init__()
        require_non_negative("eps", eps)
        self.normalized, self.eps = normalized, eps

    def target(self, y: Tensor) -> Tensor:
        """What is compared: y (*batch, patches, entries), normalized where that is asked for."""
        if not self.normalized:
            return y
        if y.shape[-1] < 2:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}: a patch of one entry has no variance; take larger "
                "patches, or normalized=False"
            )
        variance, mean = torch.var_mean(y, dim=-1, keepdim=True)
        return (y - mean) * (variance + self.eps).rsqrt()

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Mean squared errors (*batch)."""
        x, y = require_alike(x, y, 2)
        return (x - self.target(y)).square().mean((-2, -1))
