"""Energies of many data in bounded memory."""

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, leaves, require_counts
from ebmlab._rows import mapped
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.types import Rng, Tree

__all__ = ["chunked", "require_uncoupled", "rows_of"]


@torch.no_grad()
def chunked(energy: Energy, x: Tree, y: Tree, rng: Rng = None, chunk: int = 1024) -> Tensor:
    """F(x_i, y_i) of all data, (n,), `chunk` at a time; x is None or has the same n.

    Raises:
        ShapeError: y is not (n, *event), or x has another n.
        ConfigurationError: the energy couples the rows of a batch.
        NonFiniteError: an energy is NaN.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> chunked(SquaredDistance(), torch.zeros(3, 2), torch.ones(3, 2), chunk=2)
        tensor([2., 2., 2.])
    """
    require_uncoupled(energy)
    require_counts(chunk=chunk)
    batch = leading_shape("y", y, energy.y_ndim)
    if len(batch) != 1 or any(leaf.shape[:1] != batch for leaf in leaves(x)):
        raise ShapeError(
            f"y has the batch {tuple(batch)}, x {[tuple(leaf.shape) for leaf in leaves(x)]}; both "
            "are (n, *event) with one n"
        )
    found = torch.cat(
        [
            energy(rows_of(x, i, i + chunk), rows_of(y, i, i + chunk), rng=rng)
            for i in range(0, batch[0], chunk)
        ]
    )
    if bool(found.isnan().any()):
        row = int(found.isnan().int().argmax())
        raise NonFiniteError(f"the energy of datum {row} is NaN; look at x[{row}] and y[{row}]")
    return found


def require_uncoupled(energy: Energy) -> None:
    """Raise where the energy of one datum depends on the others of its batch."""
    if energy.couples:
        raise ConfigurationError(
            f"{type(energy).__name__} couples the rows of a batch (couples is True): its energy "
            "is not a function of one x and y; judge the energy it is made of"
        )


def rows_of(tree: Tree, first: int, end: int) -> Tree:
    """Rows first … end - 1 of every tensor of a tree."""
    return None if tree is None else mapped(lambda leaf: leaf[first:end], tree)
