"""Ways to damage one tensor, and what became of the call."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab.errors import EbmlabError

Damage = Callable[[Tensor], Any]


def _narrow(axis: int, keep: int = 1) -> Damage:
    return lambda t: t.narrow(axis, 0, keep)


def _doubled(axis: int) -> Damage:
    return lambda t: torch.cat([t, t], axis)


def _spoiled(value: float, everywhere: bool = False) -> Damage:
    def spoil(t: Tensor) -> Tensor:
        out = t.clone()
        if everywhere:
            return out.fill_(value)
        out.view(-1)[-1] = value
        return out

    return spoil


# Name -> what it makes of a sound tensor.
SHAPES: dict[str, Damage] = {
    "width of one": lambda t: t[..., :1],
    "one less wide": lambda t: t[..., :-1],
    "twice as wide": _doubled(-1),
    "no width": lambda t: t[..., :0],
    "an axis more behind": lambda t: t[..., None],
    "an axis more in front": lambda t: t[None],
    "two axes more in front": lambda t: t[None, None],
    "an axis less behind": lambda t: t[..., 0],
    "an axis less in front": lambda t: t[0],
    "a number": lambda t: t.flatten()[0],
    "flat": lambda t: t.flatten(),
    "no rows": lambda t: t[:0],
    "one row": lambda t: t[:1],
    "a row less": lambda t: t[:-1],
    "twice the rows": _doubled(0),
    "axes turned": lambda t: t.mT if t.ndim > 1 else t,
}
TYPES: dict[str, Damage] = {
    "float64": lambda t: t.double(),
    "float16": lambda t: t.half(),
    "bfloat16": lambda t: t.bfloat16(),
    "int64": lambda t: t.long(),
    "int32": lambda t: t.int(),
    "uint8": lambda t: (t.abs() * 40).byte(),
    "bool": lambda t: t > 0,
    "complex64": lambda t: t.to(torch.complex64),
    "array": lambda t: t.numpy(),
    "list": lambda t: t.tolist(),
    "None": lambda t: None,
    "text": lambda t: "text",
    "pair": lambda t: (t, t),
    "nothing": lambda t: (),
}
NUMBERS: dict[str, Damage] = {
    "a NaN": _spoiled(torch.nan),
    "an inf": _spoiled(torch.inf),
    "a -inf": _spoiled(-torch.inf),
    "all NaN": _spoiled(torch.nan, True),
}
FINITE: dict[str, Damage] = {
    "zeros": torch.zeros_like,
    "a large one": _spoiled(1e6),
    "all large": lambda t: t * 1e3,
    "all tiny": lambda t: t * 1e-20,
    "equal rows": lambda t: t[:1].expand_as(t).clone(),
}
DAMAGES = SHAPES | TYPES | NUMBERS | FINITE


class Outcome(NamedTuple):
    """typed, untyped, NaN or accepted; and what was raised or came back."""

    kind: str
    what: Any


def leaves_of(inputs: dict[str, Any]) -> Iterator[tuple[str, int | None, Tensor]]:
    """The name, the place in its tuple, and the value of each tensor."""
    for name, tree in inputs.items():
        if isinstance(tree, Tensor):
            yield name, None, tree
        elif isinstance(tree, tuple):
            yield from ((name, i, leaf) for i, leaf in enumerate(tree))


def damaged(inputs: dict[str, Any], name: str, place: int | None, bad: Any) -> dict[str, Any]:
    """The inputs with one tensor replaced."""
    if place is None:
        return {**inputs, name: bad}
    tree = inputs[name]
    return {**inputs, name: (*tree[:place], bad, *tree[place + 1 :])}


def numbers_of(out: Any) -> Iterator[Tensor]:
    """All tensors and numbers in what came back."""
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, float):
        yield torch.tensor(out)
    elif isinstance(out, dict):
        for value in out.values():
            yield from numbers_of(value)
    elif isinstance(out, tuple | list):
        for value in out:
            yield from numbers_of(value)


def outcome(use: Callable[..., object], inputs: dict[str, Any]) -> Outcome:
    """What became of a call."""
    try:
        out = use(**inputs)
    except EbmlabError as error:
        return Outcome("typed", error)
    except Exception as error:
        return Outcome("untyped", error)
    spoiled = any(t.isnan().any() for t in numbers_of(out) if t.is_floating_point())
    return Outcome("NaN" if spoiled else "accepted", out)
