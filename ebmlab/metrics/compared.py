"""The codes that a method compares, read off while it trains."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ebmlab._checks import leaves
from ebmlab._ranks import rank_count
from ebmlab._rows import mapped
from ebmlab.codes import Codes
from ebmlab.energies import ClusterEnergy
from ebmlab.protocols import Method
from ebmlab.types import Tree

__all__ = ["Compared", "compared", "first_rows", "inner_method", "still"]


class Compared(NamedTuple):
    """Codes (n, dim) of the first view, and their logits (n, K); None where there are none."""

    codes: Tensor | None
    logits: Tensor | None


@torch.no_grad()
def compared(method: nn.Module, x: Tree, y: Tree, rows: int = 256) -> Compared:
    """What the head of a method's energy compares, for the first rows of a batch.

    The `Method` may sit within another module. Where it trains, batch normalization takes the
    statistics of these rows, as the loss does; all else is in `eval` mode. Where nothing embeds,
    the encoder's output stands in, if there is one. No state moves.

    Example:
        >>> from ebmlab import methods
        >>> method = methods.joint_embedding(nn.Linear(3, 2))
        >>> compared(method, torch.zeros(8, 3), torch.zeros(8, 3), rows=4).codes.shape
        torch.Size([4, 2])
    """
    inner = inner_method(method)
    if inner is None:
        return Compared(None, None)
    x, y = first_rows(x, y, rows)
    with still(inner, batch=len(leaves(y)[0]) * rank_count() > 1):
        codes = inner.energy.codes(x, y)
        if codes.head is not inner.energy:
            return _read(codes)
        encoder = inner.encoder
        return Compared(None if encoder is None else _flat(encoder(leaves(y)[0])), None)


def _read(codes: Codes) -> Compared:
    view = next((h[0] for h in (codes.x, codes.y) if isinstance(h[0], Tensor)), None)
    if not isinstance(view, Tensor):
        return Compared(None, None)
    parts = codes.head.modules()
    clusters = next((part for part in parts if isinstance(part, ClusterEnergy)), None)
    logits = None if clusters is None else clusters.logits(view).flatten(0, -2)
    return Compared(_flat(view), logits)


def _flat(h: Tensor) -> Tensor | None:
    return h.flatten(1) if h.ndim > 1 and h.is_floating_point() else None


def inner_method(module: nn.Module) -> Method | None:
    """The method itself, which may sit within another module."""
    return next((m for m in module.modules() if isinstance(m, Method)), None)


def first_rows(x: Tree, y: Tree, rows: int) -> tuple[Tree, Tree]:
    """The first rows of a batch."""
    return leafwise(lambda leaf: leaf[:rows], x, y)


def leafwise(function: Callable[[Tensor], Tensor], x: Tree, y: Tree) -> tuple[Tree, Tree]:
    """A function of each tensor of a batch; a view that is in both is encoded once, and stays one.

    Example:
        >>> view = torch.ones(1)
        >>> x, (y,) = leafwise(lambda leaf: 2 * leaf, view, (view,))
        >>> x is y
        True
    """
    each = {id(leaf): leaf for leaf in (*leaves(x), *leaves(y))}
    done = {key: function(leaf) for key, leaf in each.items()}

    def of(tree: Tree) -> Tree:
        return None if tree is None else mapped(lambda leaf: done[id(leaf)], tree)

    return of(x), of(y)


@contextmanager
def still(module: nn.Module, *, batch: bool) -> Iterator[None]:
    """No dropout, no moving statistics; those of the batch where it trains and is one."""
    modes = {part: part.training for part in module.modules()}
    norms = [
        p for p in modes if isinstance(p, _BatchNorm) and p.training and p.track_running_stats
    ]
    module.eval()
    for norm in norms if batch else ():
        norm.training, norm.track_running_stats = True, False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        for part, mode in modes.items():
            part.training = mode
