"""Functions that know one batch dimension, called on tensors with any."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ebmlab._checks import common_batch, leading_shape
from ebmlab._kinds import explained, lost, name_of
from ebmlab.errors import ShapeError

__all__ = ["over_batch"]

Out = TypeVar("Out", Tensor, tuple[Tensor, ...])


def over_batch(
    function: Callable[..., Out], *inputs: tuple[Tensor, int], names: Sequence[str] = ()
) -> Out:
    """Call a function of single-batch tensors on tensors with any leading dimensions.

    Each input is (tensor, event dimensions), under its name in messages. Leading dimensions are
    broadcast together, flattened to one, and restored on the output (on each of a tuple), so that
    modules which know one batch dimension serve all. Where the function raises, the error says
    how the inputs were read.
    """
    rows, batch = [t for t, _ in inputs], None
    if not _plain(inputs):
        names = names or _numbered(inputs)
        shapes = {
            name: leading_shape(name, *read) for name, read in zip(names, inputs, strict=True)
        }
        batch = common_batch(shapes)
        rows = [_flat(t, n, batch) for t, n in inputs]
    if torch.compiler.is_compiling():
        out = function(*rows)
    else:
        try:
            out = function(*rows)
        except (RuntimeError, ValueError) as error:
            # Subclasses say what they mean: memory that is exhausted, errors of this library.
            if type(error) not in (RuntimeError, ValueError) or lost(error):
                raise
            names = names or _numbered(inputs)
            raise explained(error, name_of(function), names, inputs, rows) from error
    if batch is None or len(batch) == 1:
        return out
    if isinstance(out, tuple):
        return tuple(_restored(part, batch, name_of(function)) for part in out)
    return _restored(out, batch, name_of(function))


def _plain(inputs: Sequence[tuple[Tensor, int]]) -> bool:
    """Whether all arrive as the function takes them: with one batch dimension, as long in each."""
    count = 0
    for t, ndim in inputs:
        rows = t.shape[0] if t.ndim == ndim + 1 else 0
        if not rows or (count and rows != count):
            return False
        count = rows
    return True


def _numbered(inputs: Sequence[tuple[Tensor, int]]) -> list[str]:
    return [f"its input {i}" for i in range(len(inputs))]


def _flat(t: Tensor, ndim: int, batch: torch.Size) -> Tensor:
    event = t.shape[t.ndim - ndim :]
    return t.expand(*batch, *event).reshape(batch.numel(), *event)


def _restored(out: Tensor, batch: torch.Size, who: str) -> Tensor:
    if out.ndim == 0 or len(out) != batch.numel():
        raise ShapeError(
            f"{who} returned {tuple(out.shape)} for {batch.numel()} rows; its first dimension "
            "must be the batch"
        )
    return out.reshape((*batch, *out.shape[1:]))
