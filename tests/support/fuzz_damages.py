"""Ways to damage one tensor of a sound call, and what becomes of the call."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from fuzz_calls import CALLS, Inputs, sound
from torch import Tensor

from ebmlab.errors import EbmlabError

Damage = Callable[[Tensor], Any]


def _spoiled(value: float, everywhere: bool = False) -> Damage:
    def spoil(t: Tensor) -> Tensor:
        out = t.clone(memory_format=torch.contiguous_format)
        (out if everywhere else out.view(-1)[-1:]).fill_(value)
        return out

    return spoil


NARROW = "width of one"
# Name -> what it makes of a sound tensor; some do not exist for some tensors.
SHAPES: dict[str, Damage] = {
    NARROW: lambda t: t[..., :1],
    "one less wide": lambda t: t[..., :-1],
    "twice as wide": lambda t: torch.cat([t, t], -1),
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
    "twice the rows": lambda t: torch.cat([t, t]),
    "axes turned": lambda t: t.mT,
}
TYPES: dict[str, Damage] = {
    **{
        str(kind).removeprefix("torch."): lambda t, kind=kind: t.to(kind)
        for kind in (
            torch.float64,
            torch.float16,
            torch.bfloat16,
            torch.int64,
            torch.int32,
            torch.bool,
            torch.complex64,
        )
    },
    "uint8": lambda t: (40 * t.abs()).byte(),
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
    "all NaN": _spoiled(torch.nan, everywhere=True),
}
FINITE: dict[str, Damage] = {
    "zeros": torch.zeros_like,
    "a large one": _spoiled(1e6),
    "all large": lambda t: t * 1000,
    "all tiny": lambda t: t * 1e-20,
    "equal rows": lambda t: t[:1].expand_as(t).clone(),
}
DAMAGES = SHAPES | TYPES | NUMBERS | FINITE


class Place(NamedTuple):
    """One tensor of one call: its argument, and its place where that is a tuple."""

    kind: str
    name: str
    argument: str
    at: int | None

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}: {self.argument}{'' if self.at is None else self.at}"


class Outcome(NamedTuple):
    """What became of a call, "typed", "untyped", "NaN" or "accepted": an error or a value."""

    kind: str
    value: Any


def places() -> Iterator[Place]:
    """Every tensor of every call."""
    for kind, name in CALLS:
        for argument, tree in sound(kind, name).inputs.items():
            if isinstance(tree, Tensor):
                yield Place(kind, name, argument, None)
            elif isinstance(tree, tuple):
                yield from (Place(kind, name, argument, i) for i in range(len(tree)))


def tensor_at(place: Place) -> Tensor:
    """The sound tensor."""
    tree = sound(place.kind, place.name).inputs[place.argument]
    return tree if place.at is None else tree[place.at]


def bad(place: Place, *damages: str) -> Any:
    """The tensor, damaged in turn; None stands for nothing to damage: it would stay what it is.

    Raises:
        LookupError: it cannot be damaged so.
    """
    whole = tensor_at(place)
    t: Any = whole
    for damage in damages:
        try:
            t = DAMAGES[damage](t)
        except Exception as error:
            raise LookupError(damage) from error
    same = isinstance(t, Tensor) and t.dtype == whole.dtype and t.shape == whole.shape
    if same and torch.equal(t, whole):
        raise LookupError("it is what it was")
    return t


def called(place: Place, value: Any) -> Outcome:
    """What becomes of the call with this in the tensor's place."""
    call = sound(place.kind, place.name)
    if place.at is not None:
        tree = call.inputs[place.argument]
        value = (*tree[: place.at], value, *tree[place.at + 1 :])
    return outcome(call.use, {**call.inputs, place.argument: value})


def told(place: Place, *damages: str) -> str:
    """What was done to what."""
    return f"{place} <- {', '.join(damages)}"


class Sweep(NamedTuple):
    """The outcomes of all damages by the kind of call, what was untyped, the longest call in s."""

    counts: dict[str, Counter]
    untyped: list[str]
    slowest: float


def swept(where: Iterable[Place]) -> Sweep:
    """Every damage to every one of these tensors."""
    counts: dict[str, Counter] = defaultdict(Counter)
    untyped, slowest = [], 0.0
    for place in where:
        for damage in DAMAGES:
            try:
                value = bad(place, damage)
            except LookupError:
                continue
            start = time.process_time()
            found = called(place, value)
            slowest = max(slowest, time.process_time() - start)
            counts[place.kind][found.kind] += 1
            if found.kind == "untyped":
                untyped.append(f"{told(place, damage)}: {found.value!r}")
    return Sweep(counts, untyped, slowest)


def outcome(use: Callable[..., object], inputs: Inputs) -> Outcome:
    """What becomes of a call."""
    try:
        out = use(**inputs)
    except EbmlabError as error:
        return Outcome("typed", error)
    except Exception as error:
        return Outcome("untyped", error)
    spoiled = any(t.is_floating_point() and bool(t.isnan().any()) for t in _numbers(out))
    return Outcome("NaN" if spoiled else "accepted", out)


def _numbers(out: Any) -> Iterator[Tensor]:
    """All tensors and numbers in what came back."""
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, float):
        yield torch.tensor(out)
    elif isinstance(out, dict | tuple | list):
        for part in out.values() if isinstance(out, dict) else out:
            yield from _numbers(part)
