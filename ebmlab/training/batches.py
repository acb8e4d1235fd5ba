"""Batches (x, y) without end: of tensors, of a function that draws them, of a data loader."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import leaves
from ebmlab._rows import mapped
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Tree

__all__ = ["Batch", "Data", "batches"]

Batch = tuple[Tree, Tree]
Data = Batch | Callable[[int, torch.Generator], Batch] | Iterable[Batch]


def batches(data: Data, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
    """Batches of data, forever.

    Data are as `fit` takes them. Where a tuple has fewer rows than batch_size, each batch has all.

    Raises:
        ShapeError: tensors of the tuple differ in their first dimension, or have no rows.
        ConfigurationError: data, or what it gives, is not (x, y), or it gives nothing.

    Example:
        >>> source = batches((None, torch.arange(5.0)), 2, torch.Generator().manual_seed(0))
        >>> len(torch.cat([next(source)[1], next(source)[1]]).unique())
        4
    """
    if isinstance(data, tuple):
        return _shuffled(*_pair(data), batch_size, rng)
    if callable(data):
        return _drawn(data, batch_size, rng)
    if isinstance(data, Iterable):
        return _cycled(data)
    raise ConfigurationError(
        f"data is a {type(data).__name__}; pass (x, y), a function (batch_size, rng) -> (x, y), "
        "or an iterable of (x, y): a Dataset goes into a DataLoader"
    )


def _shuffled(x: Tree, y: Tree, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
    parts = [*leaves(x), *leaves(y)]
    n = min((len(leaf) if leaf.ndim else 0 for leaf in parts), default=0)
    if n == 0 or any(len(leaf) != n for leaf in parts):
        shapes = [
            (name, leaf.shape) for name, tree in (("x", x), ("y", y)) for leaf in leaves(tree)
        ]
        listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes)
        raise ShapeError(
            f"data holds {listed}; all need one and the same first dimension, the rows, at least "
            "1. Where they differ on purpose, pass a function (batch_size, rng) -> (x, y)"
        )
    return _epochs(x, y, n, min(batch_size, n), rng)


def _epochs(x: Tree, y: Tree, n: int, size: int, rng: torch.Generator) -> Iterator[Batch]:
    while True:
        order = torch.randperm(n, generator=rng, device=rng.device)
        for index in order[: n - n % size].split(size):
            yield _rows(x, index), _rows(y, index)


def _rows(tree: Tree, index: Tensor) -> Tree:
    return None if tree is None else mapped(lambda leaf: leaf[index.to(leaf.device)], tree)


def _drawn(
    draw: Callable[[int, torch.Generator], Batch], batch_size: int, rng: torch.Generator
) -> Iterator[Batch]:
    while True:
        yield _pair(draw(batch_size, rng))


def _cycled(data: Iterable[Any]) -> Iterator[Batch]:
    given = 0
    while True:
        before = given
        for batch in data:
            given += 1
            yield _pair(batch)
        if given == before:
            raise ConfigurationError(
                "data is empty: it gave no batch"
                if given == 0
                else f"data ended after {given} batches and cannot start again; pass a list or a "
                "DataLoader instead of an iterator, or take fewer steps"
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
