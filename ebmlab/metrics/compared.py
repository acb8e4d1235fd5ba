"""The codes that a method compares, read off while it trains."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab.checks import leaves
from ebmlab.energies import Scored
from ebmlab.energy import Energy
from ebmlab.protocols import Method
from ebmlab.types import Tree

__all__ = ["Compared", "compared"]


class Compared(NamedTuple):
    """Codes (n, dim) of the first view, and how many outputs score them; None where none are."""

    codes: Tensor | None
    outputs: int | None


@torch.no_grad()
def compared(method: nn.Module, x: Tree, y: Tree, rows: int = 256) -> Compared:
    """What the head of a method's energy looks at, for the first rows of a batch, in `eval` mode.

    Where nothing embeds it is the encoder's output, if there is one. No state moves.

    Args:
        method: a `Method`, or a module around one.
        x: of a batch.
        y: as above.
        rows: how many data are looked at.

    Example:
        >>> from ebmlab import methods
        >>> method = methods.joint_embedding(nn.Linear(3, 2))
        >>> compared(method, torch.zeros(8, 3), torch.zeros(8, 3), rows=4).codes.shape
        torch.Size([4, 2])
    """
    inner = next((m for m in method.modules() if isinstance(m, Method)), None)
    if inner is None:
        return Compared(None, None)
    x, y = _first(x, y, rows)
    with _evaluating(inner):
        head, hx, hy = inner.energy.embed(x, y)
        if head is not inner.energy:
            return _read(head, hx if isinstance(hx, Tensor) else hy)
        encoder = inner.encoder
        return Compared(None if encoder is None else _flat(encoder(leaves(y)[0])), None)


def _read(head: Energy, h: Tree) -> Compared:
    if not isinstance(h, Tensor):
        return Compared(None, None)
    view = h[0] if h.ndim > 2 else h
    scored = next((part for part in head.modules() if isinstance(part, Scored)), None)
    return Compared(_flat(view), None if scored is None else scored.scores(view).shape[-1])


def _flat(h: Tensor) -> Tensor | None:
    return h.flatten(1) if h.ndim > 1 and h.is_floating_point() else None


def _first(x: Tree, y: Tree, rows: int) -> tuple[Tree, Tree]:
    # A view that is in both stays one tensor, so that it is encoded once.
    kept = {id(leaf): leaf[:rows] for leaf in (*leaves(x), *leaves(y))}

    def cut(tree: Tree) -> Tree:
        if isinstance(tree, tuple):
            return tuple(kept[id(leaf)] for leaf in tree)
        return None if tree is None else kept[id(tree)]

    return cut(x), cut(y)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
