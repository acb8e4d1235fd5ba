"""What single tensors, pairs of codes, and losses of a batch must look like."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import Ndim, leading_shape, leaves, require_tensor
from ebmlab._kinds import name_of, require_floats
from ebmlab._rows import fingerprints
from ebmlab._signatures import Passed, signature
from ebmlab.errors import ShapeError
from ebmlab.types import Tree

__all__ = [
    "NOTHING",
    "facing",
    "identities",
    "numbered",
    "per_datum",
    "require_alike",
    "require_pairs",
    "require_vectors",
    "sound",
    "warn_of_bytes",
]

# No image in [0, 1], standardized or augmented, holds such numbers; those in 0 … 255 do.
BRIGHT = 32.0

_PAIRED: Passed[bool] = Passed()


def require_vectors(name: str, tree: Tree, dim: int, who: str) -> Tensor:
    """The one tensor (*batch, dim) of floating point that a tree must be here."""
    t = require_tensor(name, tree)
    if t.shape[-1] != dim:
        raise ShapeError(
            f"{name} has shape {tuple(t.shape)}; {who} expects it to be (*batch, {dim})"
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


def require_pairs(energy: Any, x: Tree, y: Tree) -> None:
    """Raise unless there is one x for each y, where the energy takes both: none broadcasts.

    An energy has all pairs of x[:, None] and y[None]; a loss of data that broadcast by mistake,
    as of labels (n, 1) that are (n,), would train on all pairs of them.
    """
    if x is None or y is None or not energy.takes_x:
        return
    key = signature(x, y), energy.x_ndim, energy.y_ndim
    if _PAIRED.get(key):
        return
    of_x = leading_shape("x", x, energy.x_ndim)
    of_y = leading_shape("y", y, energy.y_ndim)
    if of_x != of_y:
        raise ShapeError(
            f"x {_sizes(x)} has the batch {tuple(of_x)} before {energy.x_ndim} event dimensions, "
            f"y {_sizes(y)} has {tuple(of_y)} before {energy.y_ndim}; an objective takes one x "
            "for each y: expand or squeeze one of them"
        )
    _PAIRED.keep(key, True)


def _sizes(tree: Tree) -> str:
    return ", ".join(str(tuple(leaf.shape)) for leaf in leaves(tree))


def facing(x: Tree, values: Tensor, ndim: Ndim) -> tuple[Tree, Tensor]:
    """x and values (m, *event) so that each x meets each value: axes of one in either's batch.

    Example:
        >>> import torch
        >>> [t.shape for t in facing(torch.zeros(4, 3), torch.zeros(5, 2), 1)]
        [torch.Size([4, 1, 3]), torch.Size([1, 5, 2])]
    """
    values = values.reshape(*[1] * len(leading_shape("x", x, ndim)), *values.shape)
    parts = leaves(x, "x")
    each = ndim if isinstance(ndim, tuple) else (ndim,) * len(parts)
    faced = tuple(
        leaf if n is None else leaf.unsqueeze(leaf.ndim - n)
        for leaf, n in zip(parts, each, strict=x is not None)
    )
    return faced if isinstance(x, tuple) else next(iter(faced), None), values


def numbered(name: str, tree: Tree, ndim: Ndim) -> dict[str, tuple[Tensor, int]]:
    """The tensors of x, y or z under their names, each with its event dimensions."""
    if not isinstance(ndim, tuple):
        return {name: (require_tensor(name, tree), ndim)}
    parts = leaves(tree, name)
    if len(parts) != len(ndim):
        raise ShapeError(f"{name} holds {len(parts)} tensors; expected {len(ndim)}")
    return {f"{name}[{i}]": (t, n or 0) for i, (t, n) in enumerate(zip(parts, ndim, strict=True))}


# The identity of data without anything that tells them apart.
NOTHING = 0


def identities(tree: Tree, n: int, device: torch.device, ndim: Ndim | None = None) -> Tensor:
    """A number for each of n data, the same for the same data only; what has no batch is in none.

    Example:
        >>> same = identities(torch.tensor([[0.5], [2.0], [0.5]]), 3, torch.device("cpu"))
        >>> same[0] == same[2], same[0] == same[1]
        (tensor(True), tensor(False))
    """
    parts = leaves(tree, "x")
    each = tuple(leaf.ndim - 1 for leaf in parts) if ndim is None else ndim
    each = each if isinstance(each, tuple) else (each,) * len(parts)
    flat = [
        leaf.reshape(leaf.shape[: leaf.ndim - k].numel(), -1).double()
        for leaf, k in zip(parts, each, strict=tree is not None)
        if k is not None
    ]
    if not flat:
        return torch.full((n,), NOTHING, device=device)
    if any(len(part) not in (1, n) for part in flat):
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in parts)
        raise ShapeError(f"x has shape {shapes}; expected one x for each of {n} y")
    return fingerprints(torch.cat([part.expand(n, -1) for part in flat], dim=1))


def per_datum(loss: Callable[[Tensor, Tensor], Tensor], e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """The losses (b,) of energies (b,) of data and (b, k) of negatives.

    A datum whose energy is not finite has the loss NaN, even where the loss would saturate: one
    at -∞ is no success.

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
    return sound(losses, e_pos)


def sound(values: Tensor, energies: Tensor) -> Tensor:
    """What is made of the energies of data, NaN where these are not finite.

    A loss may saturate there, and would then have an energy of -∞ look like a success.

    Example:
        >>> energies = torch.tensor([0.0, -torch.inf])
        >>> sound(energies.sigmoid(), energies)
        tensor([0.5000,    nan])
    """
    return torch.where(energies.isfinite(), values, torch.nan)


def warn_of_bytes(named: dict[str, Tree], stacklevel: int) -> None:
    """Warn once where images (n, c, h, w) are in 0 … 255."""
    for name, tree in named.items():
        for leaf in leaves(tree):
            top = float(leaf.detach().max()) if leaf.ndim == 4 else 0.0
            if top > BRIGHT:
                warnings.warn(
                    f"{name} {tuple(leaf.shape)} holds values up to {top:.4g}; images are "
                    "expected in [0, 1]: divide by 255",
                    stacklevel=stacklevel + 1,
                )
                return
