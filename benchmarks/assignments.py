"""Balanced assignments of a batch to prototypes beside the official form of SwAV.

The official form scales the whole matrix twice in each iteration; ours moves two vectors. In the
note are the largest errors of a row's sum, with logits multiplied by 6 in each precision.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from measure import Row, compared, race
from torch import Tensor
from torch.nn import functional

from ebmlab.inference._clusters.sinkhorn import balanced

__all__ = ["cosines", "official", "rows"]


def rows(device: str, quick: bool) -> Iterator[Row]:
    """4096 codes, 3000 prototypes, 3 iterations; on CUDA also from logits in half precision."""
    batch, clusters = (256, 100) if quick else (4096, 3000)
    logits = cosines(batch, clusters).to(device)
    errors = "; ".join(_errors(logits, kind) for kind in _KINDS)
    case = f"Sinkhorn, {batch} × {clusters}"
    for kind in _KINDS if device != "cpu" or quick else (torch.float32,):
        given = logits.to(kind)
        name = case if kind == torch.float32 else f"{case}, {_short(kind)}"
        contenders = {"ebmlab": _call(_ours, given), "official form": _call(official, given)}
        for row in compared("assignments", name, "ebmlab", race(contenders, device, turns=9)):
            yield replace(row, note=errors)


_KINDS = (torch.float16, torch.bfloat16, torch.float32)


def _short(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")


def _call(balance: Callable[[Tensor], Tensor], logits: Tensor) -> Callable[[], Tensor]:
    return lambda: balance(logits)


def _ours(logits: Tensor) -> Tensor:
    return balanced(logits)[0]


def cosines(batch: int, clusters: int) -> Tensor:
    """Logits of random codes of 128 dimensions and as many prototypes as there are clusters."""
    rng = torch.Generator().manual_seed(0)
    codes, prototypes = (
        functional.normalize(torch.randn(n, 128, generator=rng), dim=1) for n in (batch, clusters)
    )
    return codes @ prototypes.T


@torch.no_grad()
def official(logits: Tensor, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """exp(s / ε)ᵀ, its rows and columns scaled in turn (Caron et al. 2020, arXiv:2006.09882)."""
    q = (logits / epsilon).exp().T
    clusters, batch = q.shape
    q /= q.sum()
    for _ in range(iterations):
        q /= q.sum(1, keepdim=True)
        q /= clusters
        q /= q.sum(0, keepdim=True)
        q /= batch
    return (q * batch).T


def _errors(logits: Tensor, kind: torch.dtype) -> str:
    large = (6 * logits).to(kind)
    ours, theirs = (
        float((q.double().sum(1) - 1).abs().max()) for q in (_ours(large), official(large))
    )
    return f"{_short(kind)} {ours:.1e}, official {theirs:.1e}"
