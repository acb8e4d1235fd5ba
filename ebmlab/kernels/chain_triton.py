"""The chains of `chain` as one Triton kernel, which takes the slope as a function."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["chain", "gaussian", "mixture", "well"]

# Chains per program.
BLOCK = 128


@triton.jit
def well(a, b, packed, COUNT: tl.constexpr):
    """(4 h a (a² - 1), b)."""
    return 4.0 * tl.load(packed) * a * (a * a - 1.0), b


@triton.jit
def gaussian(a, b, packed, COUNT: tl.constexpr):
    """p (y - μ), coordinate by coordinate."""
    ga = tl.load(packed + 2) * (a - tl.load(packed))
    gb = tl.load(packed + 3) * (b - tl.load(packed + 1))
    return ga, gb


@triton.jit
def _logit(a, b, packed, k):
    """The log of a component's share, up to a constant."""
    da = a - tl.load(packed + 3 * k + 1)
    db = b - tl.load(packed + 3 * k + 2)
    return tl.load(packed + 3 * k + 3) - 0.5 * tl.load(packed) * (da * da + db * db)


@triton.jit
def mixture(a, b, packed, COUNT: tl.constexpr):
    """p (y - Σ r_k μ_k), the largest logit subtracted before exponentials are taken."""
    top = _logit(a, b, packed, 0)
    for k in range(1, COUNT):
        top = tl.maximum(top, _logit(a, b, packed, k))
    total = tl.zeros_like(a)
    sum_a = tl.zeros_like(a)
    sum_b = tl.zeros_like(a)
    for k in range(COUNT):
        share = tl.exp(_logit(a, b, packed, k) - top)
        total += share
        sum_a += share * tl.load(packed + 3 * k + 1)
        sum_b += share * tl.load(packed + 3 * k + 2)
    precision = tl.load(packed)
    return precision * (a - sum_a / total), precision * (b - sum_b / total)


@triton.jit(do_not_specialize=["steps", "first"])
def _chain(
    y,
    seed,
    packed,
    out,
    count,
    steps,
    first,
    step_size,
    size,
    SLOPE: tl.constexpr,
    COUNT: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = index < count
    key = tl.load(seed)
    a = tl.load(y + 2 * index, mask=inside, other=0.0)
    b = tl.load(y + 2 * index + 1, mask=inside, other=0.0)
    for step in range(0, steps, 2):
        pair = tl.cast((first + step) // 2, tl.int64)
        n0, n1, n2, n3 = tl.randn4x(key, (pair << 32) + index)
        ga, gb = SLOPE(a, b, packed, COUNT)
        a = a - step_size * ga + size * n0
        b = b - step_size * gb + size * n1
        if step + 1 < steps:
            ga, gb = SLOPE(a, b, packed, COUNT)
            a = a - step_size * ga + size * n2
            b = b - step_size * gb + size * n3
    tl.store(out + 2 * index, a, mask=inside)
    tl.store(out + 2 * index + 1, b, mask=inside)


def chain(
    slope: tuple[Any, int, Tensor],
    y: Tensor,
    seed: Tensor,
    steps: int,
    step_size: float,
    size: float,
    first: int,
    block: int = BLOCK,
) -> Tensor:
    """All steps of all chains in one launch; float32. The slope comes with its COUNT."""
    y = y.contiguous()
    out = torch.empty_like(y)
    function, count, packed = slope
    if len(y) == 0:
        return out
    kernel: Any = _chain[(triton.cdiv(len(y), block),)]
    # Triton launches on the current device.
    with torch.cuda.device_of(y):
        arguments = (y, seed, packed, out, len(y), steps, first, step_size, size)
        kernel(*arguments, function, count, block, enable_fp_fusion=False)
    return out
