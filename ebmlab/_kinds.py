"""What arrived, what was expected, and what to do: the wording of typed errors."""

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeVar

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError, DtypeError, EbmlabError, ShapeError

__all__ = [
    "REFUSALS",
    "explained",
    "lost",
    "name_of",
    "require_a",
    "require_floats",
    "require_real",
    "require_tensors",
    "retell",
    "told",
]

Kind = TypeVar("Kind")


def require_a(kind: type[Kind], what: str, value: object, mend: str) -> Kind:
    """The value, which must be of this class."""
    if isinstance(value, kind):
        return value
    whole = isinstance(value, type)
    got = f"the class {value.__name__}" if whole else f"of type {type(value).__name__}"
    raise ConfigurationError(f"{what} is {got}; expected {kind.__name__}: {mend}")


def require_floats(name: str, t: object) -> Tensor:
    """The tensor, which must be of floating point."""
    t = t if isinstance(t, Tensor) else require_a(Tensor, name, t, "torch.as_tensor makes one")
    if t.is_floating_point():
        return t
    raise DtypeError(f"{name} has dtype {t.dtype}; expected floating point: {_floats(t)}")


def require_tensors(**named: object) -> None:
    """Raise unless each is a tensor, and none complex."""
    for name, value in named.items():
        tensor = require_a(Tensor, name, value, "torch.as_tensor makes one")
        if tensor.is_complex():
            require_floats(name, tensor)


def require_real(**named: object) -> None:
    """Raise unless each is a tensor of floating point."""
    for name, value in named.items():
        require_floats(name, value)


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


Out = TypeVar("Out")

# What torch and Python raise of tensors that do not fit.
_SIZES = (RuntimeError, ValueError, IndexError)
_MISSING = (TypeError, AttributeError)
REFUSALS = (*_SIZES, *_MISSING)
_TYPES = ("dtype", "scalar type", "not implemented for", "same type", "expected type")


def lost(error: Exception) -> bool:
    """Whether what ranks talk through says that one of them has ended."""
    said = str(error).lower()
    return any(word in said for word in ("gloo", "nccl", "closed by peer", "connection reset"))


def told(call: Callable[[], Out], who: str, **named: object) -> Out:
    """What the call gives; where torch refuses the tensors that are named, a typed error.

    Errors that speak for themselves pass: those of this library, of memory that is exhausted,
    and those of a program that was handed sound tensors.
    """
    if torch.compiler.is_compiling():
        return call()
    try:
        return call()
    except REFUSALS as error:
        retell(error, who, **named)


def retell(error: Exception, who: str, **named: object) -> NoReturn:
    """Raise what `told` makes of an error that is being handled: `told` without its call."""
    found = None if lost(error) else _retold(error, who, named)
    if found is None:
        raise error
    raise found from error


def _retold(error: Exception, who: str, named: Mapping[str, object]) -> EbmlabError | None:
    parts = {
        f"{name}[{i}]" if isinstance(tree, tuple) else name: part
        for name, tree in named.items()
        for i, part in enumerate(tree if isinstance(tree, tuple) else (tree,))
    }
    odd = [name for name, part in parts.items() if not isinstance(part, Tensor)]
    missing = type(error) in _MISSING and bool(odd)
    refused = isinstance(error, NotImplementedError) and "not implemented for" in str(error)
    if not (missing or refused or type(error) in _SIZES):
        return None
    came = ", ".join(f"{name} {_described(part)}" for name, part in parts.items())
    said = f"{who} could not take {came}. It said: {error}. Mend: "
    if missing:
        return ConfigurationError(f"{said}pass a tensor as {' or '.join(odd)}")
    if any(word in str(error) for word in _TYPES):
        return DtypeError(f"{said}bring all to one type, as by .float()")
    return ShapeError(f"{said}compare these shapes, (*batch, *event), with what it expects")


def _described(part: object) -> str:
    if isinstance(part, Tensor):
        return f"{tuple(part.shape)} of {str(part.dtype).removeprefix('torch.')}"
    return "None" if part is None else f"of type {type(part).__name__}"
