"""Energies of every x with every candidate y: each encoded once, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._batch_norms import batch_norms
from ebmlab._checks import Ndim, leading_shape, leaves, require_counts
from ebmlab._randomness import replayed
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.prediction.chunked import require_uncoupled
from ebmlab.protocols import Method
from ebmlab.types import Rng, Tree

__all__ = ["ROWS", "Candidates", "encode_candidates", "require_apart"]

# So many x meet a block of candidates at a time.
ROWS = 64


class Candidates(NamedTuple):
    """The head of an energy, and the codes that it compares, of n data x and m candidates."""

    head: Energy
    hx: Tree
    hy: Tree
    n: int
    m: int

    def sweeps(self, chunk: int, rng: Rng) -> Iterator[Callable[[], Iterator[Tensor]]]:
        """For each few x, a function that goes through all candidates, `chunk` at a time.

        What it yields is energies (rows, candidates); a stochastic head draws the same numbers in
        every sweep.
        """
        replay = replayed(rng, type(self.head).__name__) if self.head.stochastic else lambda: None
        for first in range(0, self.n, ROWS):
            part = slice(first, first + ROWS)
            yield lambda part=part: self._sweep(part, chunk, replay())

    def _sweep(self, part: slice, chunk: int, rng: Rng) -> Iterator[Tensor]:
        x = _over(lambda t: t[part, None], self.hx, self.head.x_ndim)
        for first in range(0, self.m, chunk):
            block = slice(first, first + chunk)
            y = _over(lambda t, block=block: t[None, block], self.hy, self.head.y_ndim)
            energies = self.head(x, y, rng=rng)
            if bool(energies.isnan().any()):
                row, column = energies.isnan().nonzero()[0].tolist()
                raise NonFiniteError(
                    f"the energy of x[{part.start + row}] and candidates[{first + column}] is "
                    "NaN; look at both"
                )
            yield energies


@torch.no_grad()
def encode_candidates(
    method: Method | Energy, x: Tree, candidates: Tree, chunk: int
) -> Candidates:
    """Encode all x and all candidates, up to `chunk` of each at a time.

    Each is encoded once. Only where one of the two has more blocks than the other, the other's
    first row goes along again. Raises as `retrieve`.
    """
    energy = method.energy if isinstance(method, Method) else method
    require_apart(energy)
    require_counts(chunk=chunk)
    if not energy.takes_x or energy.takes_z:
        raise ConfigurationError(
            f"{type(energy).__name__} has takes_x {energy.takes_x}, takes_z {energy.takes_z}; "
            "candidates are compared by an E(x, y): reduce z with FreeEnergy, and judge an E(y) "
            "by energy(None, candidates)"
        )
    n = _count("x", x, energy.x_ndim)
    m = _count("candidates", candidates, energy.y_ndim)
    xs, ys, head = [], [], energy
    for first in range(0, max(n, m), chunk):
        at_x, at_y = (slice(first, first + chunk) if first < k else slice(0, 1) for k in (n, m))
        head, hx, hy = energy.embed(
            _over(lambda t, at=at_x: t[at], x, energy.x_ndim),
            _over(lambda t, at=at_y: t[at], candidates, energy.y_ndim),
        )
        xs += [hx] if first < n else []
        ys += [hy] if first < m else []
    return Candidates(head, _joined(xs, head.x_ndim), _joined(ys, head.y_ndim), n, m)


def require_apart(energy: Energy) -> None:
    """Raise where the energy of a datum depends on the others that are looked at with it."""
    require_uncoupled(energy)
    names = batch_norms(energy)
    if names:
        raise ConfigurationError(
            f"{type(energy).__name__} normalizes over the batch in {', '.join(names[:3])}: put "
            "the method into evaluation mode by .eval()"
        )


def _count(name: str, tree: Tree, ndim: Ndim) -> int:
    if tree is None or (isinstance(tree, tuple) and isinstance(ndim, int)):
        got = "None" if tree is None else f"a tuple of {len(tree)} views"
        raise ShapeError(f"{name} must be (n, *event), one view of each datum, but it is {got}")
    shape = leading_shape(name, tree, ndim)
    if len(shape) != 1:
        raise ShapeError(f"{name} has the batch {tuple(shape)}; it must be (n, *event)")
    return shape[0]


def _over(change: Callable[[Tensor], Tensor], tree: Tree, ndim: Ndim) -> Tree:
    """The tree with every tensor changed that has a batch (`ndim` None marks those without)."""
    if not isinstance(tree, tuple):
        return None if tree is None else change(tree)
    each = _ndims(tree, ndim)
    return tuple(leaf if n is None else change(leaf) for leaf, n in zip(tree, each, strict=True))


def _joined(parts: list[Tree], ndim: Ndim) -> Tree:
    """Blocks of rows as one tree; what has no batch is the same in all of them."""
    columns = list(zip(*map(leaves, parts), strict=True))
    each = zip(columns, _ndims(columns, ndim), strict=True)
    joined = tuple(column[0] if n is None else torch.cat(column) for column, n in each)
    return joined if isinstance(parts[0], tuple) else joined[0]


def _ndims(parts: Sequence[object], ndim: Ndim) -> tuple[int | None, ...]:
    return ndim if isinstance(ndim, tuple) else (ndim,) * len(parts)
