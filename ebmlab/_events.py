"""What single tensors, pairs of codes, and losses of a batch must look like."""

from collections.abc import Callable

from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._kinds import name_of, require_floats
from ebmlab.errors import ShapeError
from ebmlab.types import Tree

__all__ = ["per_datum", "require_alike", "require_images", "require_vectors"]


def require_vectors(name: str, tree: Tree, dim: int, who: str) -> Tensor:
    """The one tensor (*batch, dim) of floating point that a tree must be here."""
    t = require_tensor(name, tree)
    if t.shape[-1] != dim:
        raise ShapeError(
            f"{name} has shape {tuple(t.shape)}; {who} expects it to be (*batch, {dim})"
        )
    return require_floats(name, t)


def require_images(name: str, tree: Tree, channels: int, who: str) -> Tensor:
    """The one tensor (*batch, channels, height, width) of floating point that a tree must be."""
    t = require_tensor(name, tree)
    if t.shape[-3] != channels:
        last = f"; channels come first: {name}.movedim(-1, -3)" * (t.shape[-1] == channels)
        raise ShapeError(
            f"{name} has shape {tuple(t.shape)}; {who} expects it to be (*batch, {channels}, "
            f"height, width){last}"
        )
    return require_floats(name, t)


def require_alike(x: Tree, y: Tree, ndim: int = 1) -> tuple[Tensor, Tensor]:
    """x and y, which must be tensors of floating point with one and the same event shape."""
    x = require_floats("x", require_tensor("x", x))
    y = require_floats("y", require_tensor("y", y))
    if ndim and x.shape[-ndim:] != y.shape[-ndim:]:
        last = "dimension" if ndim == 1 else f"{ndim} dimensions"
        raise ShapeError(
            f"x has shape {tuple(x.shape)}, y {tuple(y.shape)}; expected the same last {last} of "
            "both: only batches broadcast"
        )
    return x, y


def per_datum(loss: Callable[[Tensor, Tensor], Tensor], e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """The losses (b,) of energies (b,) of data and (b, k) of negatives.

    Raises:
        ShapeError: the energies or the losses have other shapes, which would broadcast.
    """
    if e_neg.shape[:-1] != e_pos.shape:
        raise ShapeError(
            f"negatives have energies {tuple(e_neg.shape)}, data {tuple(e_pos.shape)}; expected "
            "(b, k) and (b,): k negatives for each datum"
        )
    losses = loss(e_pos, e_neg)
    if not isinstance(losses, Tensor) or losses.shape != e_pos.shape:
        got = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        raise ShapeError(
            f"{name_of(loss)} returned {got} for energies {tuple(e_pos.shape)} of data and "
            f"{tuple(e_neg.shape)} of negatives; expected {tuple(e_pos.shape)}, a loss for each "
            "datum: compare e_pos[:, None] with e_neg, and reduce over k, as by .mean(1)"
        )
    return losses
