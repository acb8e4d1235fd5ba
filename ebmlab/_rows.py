"""Tensors (rows, *event), row by row: sums, finiteness, masks; and how low a row may fall."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

from ebmlab.errors import NonFiniteError

__all__ = [
    "depth_limit",
    "fingerprints",
    "finite_rows",
    "keys",
    "leaves_of",
    "located",
    "mapped",
    "norms",
    "require_finite",
    "row_sums",
    "rows",
    "select",
]

Parts = TypeVar("Parts", bound=tuple)


def row_sums(t: Tensor) -> Tensor:
    """Sums over the event: (rows, *event) -> (rows,)."""
    return t if t.ndim == 1 else t.flatten(1).sum(1)


def norms(t: Tensor) -> Tensor:
    """The length of each row: (rows, *event) -> (rows,)."""
    return torch.linalg.vector_norm(t.reshape(len(t), -1), dim=1)


def finite_rows(t: Tensor) -> Tensor:
    """Which rows of (rows, *event) are finite throughout: (rows,)."""
    return t.reshape(len(t), -1).isfinite().all(1)


def fingerprints(t: Tensor) -> Tensor:
    """A whole number for each row of (rows, *event), by which rows are told apart: (rows,).

    It is a sum of scrambled entries modulo 2^64, the same for a row wherever it stands, in any
    precision; 0.0 and -0.0 are one number.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators".
    """
    bits = (t.reshape(len(t), -1).double() + 0.0).view(torch.int64)
    column = torch.arange(1, bits.shape[1] + 1, device=t.device)
    return _scrambled(bits + column * STRIDE).sum(1)


def located(prints: Tensor, known: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Which rows have these fingerprints, and where none has: (n,) both.

    `known` are the fingerprints of the rows in ascending order, `order` the rows' own places.
    """
    place = torch.searchsorted(known, prints).clamp(max=len(known) - 1)
    return order[place], known[place] != prints


def keys(t: Tensor) -> Tensor:
    """A whole number for each row of (rows, *event), the same for equal rows: (rows,).

    A tenth of the cost of `fingerprints`, for the rows of one tensor: Σ bits_i k_i modulo 2^64
    with scrambled k_i. Two rows that differ share it by a chance of about 2^-40.

    Source: Carter, Wegman 1979; Dietzfelbinger 1996.
    """
    flat = t.reshape(len(t), -1)
    double = flat.dtype == torch.float64
    bits = flat.view(torch.int64) if double else flat.float().view(torch.int32)
    factors = _scrambled(torch.arange(1, bits.shape[1] + 1, device=t.device) * STRIDE)
    return ((bits ^ (bits >> 32) if double else bits) * factors).sum(1)


STRIDE = -7046029254386353131


def _scrambled(mixed: Tensor) -> Tensor:
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        mixed = (mixed ^ ((mixed >> shift) & (2 ** (64 - shift) - 1))) * factor
    return mixed ^ ((mixed >> 31) & (2**33 - 1))


def rows(value: Tensor, like: Tensor) -> Tensor:
    """One value per row, (rows,), shaped to meet (rows, *event)."""
    return value.reshape(-1, *[1] * (like.ndim - 1))


def select(take: Tensor, new: Parts, old: Parts) -> Parts:
    """Row by row the new or the old of two trees of tensors, (rows,) of bool."""
    return mapped(lambda a, b: torch.where(rows(take, a), a, b), new, old)


def mapped(function: Callable[..., Tensor], *trees: Any) -> Any:
    """A function of tensors, leaf by leaf of tuples in tuples that are alike, named or not."""
    first = trees[0]
    if isinstance(first, Tensor):
        return function(*trees)
    parts = [mapped(function, *each) for each in zip(*trees, strict=True)]
    return tuple(parts) if type(first) is tuple else type(first)(*parts)


def leaves_of(tree: Any) -> Iterator[Tensor]:
    """The tensors of tuples in tuples, in order."""
    if isinstance(tree, Tensor):
        yield tree
    else:
        for part in tree:
            yield from leaves_of(part)


def require_finite(y: Tensor, energy: Tensor, grad: Tensor, row: str) -> None:
    """Raise where a row starts with an energy or a gradient that is not finite; `row` names it."""
    bad = ~(energy.isfinite() & finite_rows(grad))
    if bad.any():
        first = int(bad.nonzero()[0])
        raise NonFiniteError(
            f"{row} {first} starts (step 0) with energy {float(energy.detach()[first])} or a "
            f"gradient that is not finite, at {y[first].flatten()[:4].tolist()}; start where u is "
            "finite"
        )


def depth_limit(start: Tensor) -> Tensor:
    """How low energies (rows,) may fall; below, the start drowns in rounding, nothing holds."""
    start = start.detach()
    return start - (1 + start.abs()) / torch.finfo(start.dtype).eps
