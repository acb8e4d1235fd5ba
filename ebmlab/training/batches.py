"""Batches (x, y) by step: of tensors, of a function that draws them, of a data loader."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import leaves
from ebmlab._ranks import rank_count, rank_number
from ebmlab._rows import mapped
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Tree

__all__ = ["Batch", "Data", "Draws", "Source", "own_rows", "source_of"]

Batch = tuple[Tree, Tree]


class Draws(NamedTuple):
    """The generators of one step: the same on every rank, and this rank's own."""

    common: torch.Generator
    own: torch.Generator


class Source(ABC):
    """Batches of a run by the numbers of its steps, of which each rank has its own rows."""

    @abstractmethod
    def batch(self, step: int, draws: Draws) -> Batch:
        """The batch of a step, the first being 1, as this rank sees it."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What the batches to come depend on beside the step and the generators."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another source stood."""


Data = Batch | Callable[[int, torch.Generator], Batch] | Iterable[Batch] | Source


def source_of(data: Data, batch_size: int) -> Source:
    """Batches of data, forever.

    Data are as `fit` takes them. Where a tuple has fewer rows than batch_size, each batch has all.

    Raises:
        ShapeError: tensors of the tuple differ in their first dimension, or have no rows.
        ConfigurationError: data, or what it gives, is not (x, y), or it gives nothing; or ranks
            cannot share a batch alike.

    Example:
        >>> source = source_of((None, torch.arange(5.0)), 2)
        >>> rng = torch.Generator().manual_seed(0)
        >>> rows = [source.batch(step, Draws(rng, rng))[1] for step in (1, 2)]
        >>> len(torch.cat(rows).unique())
        4
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, tuple):
        return _Shuffled(*_pair(data), batch_size)
    if callable(data):
        return _Drawn(data, batch_size)
    if isinstance(data, Iterable):
        return _Cycled(data)
    raise ConfigurationError(
        f"data is a {type(data).__name__}; pass (x, y), a function (batch_size, rng) -> (x, y), "
        "or an iterable of (x, y): a Dataset goes into a DataLoader"
    )


def own_rows(count: int) -> slice:
    """Which of the rows of a batch of all ranks are this one's.

    Raises:
        ConfigurationError: not all would have as many.
    """
    ranks = rank_count()
    if count % ranks:
        raise ConfigurationError(
            f"batch_size is {count}, the rows of all {ranks} ranks together; take a multiple of "
            f"{ranks}, so that each has as many"
        )
    share = count // ranks
    return slice(rank_number() * share, (rank_number() + 1) * share)


class _Shuffled(Source):
    """Rows of tensors, in an order of its own in each epoch."""

    def __init__(self, x: Tree, y: Tree, batch_size: int) -> None:
        self.x, self.y = x, y
        parts = [*leaves(x), *leaves(y)]
        self.n = min((len(leaf) if leaf.ndim else 0 for leaf in parts), default=0)
        if self.n == 0 or any(len(leaf) != self.n for leaf in parts):
            raise ShapeError(_uneven(x, y))
        self.size = min(batch_size, self.n)
        self._own = own_rows(self.size)
        # An order is kept as the state of the generator that drew it.
        self._begun: Tensor | None = None
        self._order: Tensor | None = None
        self._at = 0

    def batch(self, step: int, draws: Draws) -> Batch:
        order = self._current(draws.common)
        index = order[self._at : self._at + self.size][self._own]
        self._at += self.size
        if len(index) == self.n:
            # All rows, whose order says nothing, need no copy.
            return self.x, self.y
        return _rows(self.x, index), _rows(self.y, index)

    def _current(self, rng: torch.Generator) -> Tensor:
        if self._order is None and self._begun is not None:
            self._order = self._drawn(torch.Generator(rng.device).set_state(self._begun))
        if self._order is None or self._at + self.size > self.n:
            self._begun, self._at = rng.get_state(), 0
            self._order = self._drawn(rng)
        return self._order

    def _drawn(self, rng: torch.Generator) -> Tensor:
        return torch.randperm(self.n, generator=rng, device=rng.device)

    def state_dict(self) -> dict[str, Any]:
        return {"begun": self._begun, "at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._begun, self._at, self._order = state["begun"], state["at"], None


class _Drawn(Source):
    """What a function draws, by each rank for itself."""

    def __init__(self, draw: Callable[[int, torch.Generator], Batch], batch_size: int) -> None:
        own = own_rows(batch_size)
        self._draw, self._size = draw, own.stop - own.start

    def batch(self, step: int, draws: Draws) -> Batch:
        return _pair(self._draw(self._size, draws.own))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing but the generator says what comes."""


class _Cycled(Source):
    """What an iterable gives, again and again; each rank has an iterable of its own."""

    def __init__(self, data: Iterable[Any]) -> None:
        self._data, self._given = data, 0
        self._batches = self._endless()

    def batch(self, step: int, draws: Draws) -> Batch:
        self._given += 1
        return _pair(next(self._batches))

    def _endless(self) -> Iterator[Any]:
        given = 0
        while True:
            before = given
            for batch in self._data:
                given += 1
                yield batch
            if given == before:
                raise ConfigurationError(
                    "data is empty: it gave no batch"
                    if given == 0
                    else f"data ended after {given} batches and cannot start again; pass a list "
                    "or a DataLoader instead of an iterator, or take fewer steps"
                )

    def state_dict(self) -> dict[str, Any]:
        return {"given": self._given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Pass over what was given before."""
        while self._given < state["given"]:
            self._given += 1
            next(self._batches)


def _rows(tree: Tree, index: Tensor) -> Tree:
    return None if tree is None else mapped(lambda t: t.index_select(0, index.to(t.device)), tree)


def _uneven(x: Tree, y: Tree) -> str:
    shapes = [(name, leaf.shape) for name, tree in (("x", x), ("y", y)) for leaf in leaves(tree)]
    listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes)
    return (
        f"data holds {listed}; all need one and the same first dimension, the rows, at least "
        "1. Where they differ on purpose, pass a function (batch_size, rng) -> (x, y)"
    )


def _pair(batch: Any) -> Batch:
    """Check (x, y); lists, which data loaders make of tuples, become tuples again."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        got = type(batch).__name__
        got += f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
        raise ConfigurationError(
            f"a batch is a {got}; it must be a pair (x, y): (None, y) where there is no x, and "
            "batches of their own in a list"
        )
    x, y = (tuple(part) if isinstance(part, list) else part for part in batch)
    for name, part in (("x", x), ("y", y)):
        for leaf in part if isinstance(part, tuple) else (part,):
            if not isinstance(leaf, Tensor) and not (name == "x" and part is None):
                raise ConfigurationError(
                    f"{name} holds a {type(leaf).__name__}; x and y are tensors or tuples of "
                    "tensors (torch.as_tensor makes them), and only x may be None"
                )
    return x, y
