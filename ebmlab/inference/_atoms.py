"""What inferences share: the batch of the data, atoms in front of it, and picking one of them."""

import torch
from torch import Tensor

from ebmlab._checks import common_batch, leading_shape
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["data_batch", "in_front", "pick", "spread"]


def data_batch(energy: Energy, x: Tree, y: Tree) -> torch.Size:
    """The batch shape of the pair (x, y)."""
    shapes = {"y": leading_shape("y", y, energy.y_ndim)}
    if energy.takes_x:
        shapes["x"] = leading_shape("x", x, energy.x_ndim)
    return common_batch(shapes)


def in_front(atoms: Tensor, batch: torch.Size) -> Tensor:
    """The same atoms (k, *event) for every datum: (k, 1, …, 1, *event), which broadcasts."""
    k, *event = atoms.shape
    return atoms.reshape(k, *[1] * len(batch), *event)


def spread(atoms: Tensor, batch: torch.Size) -> Tensor:
    """Atoms in front of a batch, (k, 1, …, 1, *event), as (k, *batch, *event): a view."""
    return atoms.expand(len(atoms), *batch, *atoms.shape[1 + len(batch) :])


def pick(values: Tensor, best: Tensor) -> Tensor:
    """values[best] along the first dimension: (k, *batch, *event) by (1, *batch)."""
    event = values.shape[best.ndim :]
    index = best.reshape(*best.shape, *[1] * len(event)).expand(*best.shape, *event)
    return values.gather(0, index)
