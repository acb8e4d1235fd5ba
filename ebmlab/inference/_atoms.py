"""What inferences share: the batch of the data, atoms in front of it, and one of them alone."""

import torch
from torch import Tensor

from ebmlab._checks import common_batch, leading_shape
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.types import Posterior, Tree

__all__ = ["data_batch", "in_front", "one_atom", "pick", "spread", "starts_of_each"]


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


def starts_of_each(starts: Tensor, ndim: int, batch: torch.Size, who: str) -> Tensor:
    """Starts (k, *event), or (k, *batch, *event), of every datum: (k, *batch, *event).

    The event has `ndim` dimensions.
    """
    if starts.ndim == 1 + ndim:
        return spread(in_front(starts, batch), batch)
    if starts.ndim < 1 + ndim or starts.shape[1 : starts.ndim - ndim] != batch:
        raise ShapeError(
            f"{who}: starts have shape {tuple(starts.shape)}; expected (k, *event) or (k, *batch, "
            f"*event), with {ndim} event dimensions and the batch {tuple(batch)}"
        )
    return starts


def one_atom(z: Tensor, ndim: int = 1, residual: Tensor | None = None) -> Posterior:
    """One z (*batch, *event) for each datum, the event of `ndim` dimensions; no residual is 0."""
    zero = z.new_zeros(z.shape[: z.ndim - ndim])
    residual = zero if residual is None else residual
    return Posterior(z[None], torch.ones_like(zero)[None], zero, residual)


def pick(values: Tensor, best: Tensor) -> Tensor:
    """values[best] along the first dimension: (k, *batch, *event) by (1, *batch)."""
    event = values.shape[best.ndim :]
    index = best.reshape(*best.shape, *[1] * len(event)).expand(*best.shape, *event)
    return values.gather(0, index)
