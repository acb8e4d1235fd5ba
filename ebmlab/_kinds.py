"""What arrived, what was expected, and what to do: the wording of typed errors."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError, DtypeError, ShapeError

__all__ = ["explained", "name_of", "require_a", "require_floats"]

Kind = TypeVar("Kind")


def require_a(kind: type[Kind], what: str, value: object, mend: str) -> Kind:
    """The value, which must be of this class."""
    if isinstance(value, kind):
        return value
    whole = isinstance(value, type)
    got = f"the class {value.__name__}" if whole else f"of type {type(value).__name__}"
    raise ConfigurationError(f"{what} is {got}; expected {kind.__name__}: {mend}")


def require_floats(name: str, t: Tensor) -> Tensor:
    """The tensor, which must be of floating point."""
    if t.is_floating_point():
        return t
    raise DtypeError(f"{name} has dtype {t.dtype}; expected floating point: {_floats(t)}")


def _floats(t: Tensor) -> str:
    if t.is_complex():
        return "torch.view_as_real gives the two parts"
    if t.dtype == torch.uint8:
        return "images of 0 … 255 become .float() / 255"
    return ".float(), or one_hot(…).float() of labels"


def name_of(function: Callable) -> str:
    """What a function, or else its class, is called."""
    return getattr(function, "__name__", type(function).__name__)


def explained(
    error: Exception,
    who: str,
    names: Sequence[str],
    inputs: Sequence[tuple[Tensor, int]],
    rows: Sequence[Tensor],
) -> ShapeError | DtypeError:
    """What a function that failed was handed, and how that came from what arrived."""
    read, mends = [], []
    for name, (t, ndim), row in zip(names, inputs, rows, strict=True):
        events = f"{name}_ndim" if len(name) == 1 else "x_ndim or y_ndim"
        read.append(
            f"{name} {tuple(t.shape)}, read as (*batch, *event) with {events} = {ndim} and "
            f"passed on as {tuple(row.shape)}"
        )
        if ndim and not t.is_floating_point():
            mends.append(f"{name} is {t.dtype}: {_floats(t)}")
        elif ndim < 3 <= t.ndim - 1:
            mends.append(f"for images set {events} = 3")
        elif ndim == 3 and t.shape[-1] in (1, 3) and t.shape[-3] not in (1, 3):
            mends.append("channels come first: .movedim(-1, -3)")
    kind = DtypeError if any(n and not t.is_floating_point() for t, n in inputs) else ShapeError
    mend = "; ".join(mends) or "compare its widths with those of the event"
    return kind(f"{who} could not take {'; '.join(read)}. It said: {error}. Mend: {mend}")
