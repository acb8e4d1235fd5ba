"""The chains of `chain` as one Triton kernel, which takes the slope as a function.

A slope is a function (y, packed, DIM, COUNT) -> ∂E/∂y of a tile of chains (n, DIM), whose columns
are in the order of `chain.columns`, the first coordinate first. Columns of no coordinate are 0 and
must have a slope of 0.
"""

# Triton declares that `static_range` never returns, and that a sum may be a tuple.
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language import constexpr

from ebmlab.kernels.threefry_triton import normals, number

__all__ = ["banana", "chain", "double_well", "funnel", "gaussian", "mixture", "network", "ring"]

# From here on sums over coordinates are products of matrices.
WIDE = constexpr(16)


@triton.jit
def _column(y, k, DIM: constexpr):
    """Coordinate k of every chain, (n, 1)."""
    here = tl.arange(0, DIM)[None, :] == k
    return tl.sum(tl.where(here, y, 0.0), axis=1, keep_dims=True)


@triton.jit
def double_well(y, packed, DIM: constexpr, COUNT: constexpr):
    """4 h a (a² - 1) of the first coordinate, the others themselves; packed is (h)."""
    first = tl.arange(0, DIM)[None, :] == 0
    return tl.where(first, 4.0 * tl.load(packed) * y * (y * y - 1.0), y)


@triton.jit
def ring(y, packed, DIM: constexpr, COUNT: constexpr):
    """(ρ - r) / σ² along y / ρ; packed are (r, 1 / σ²)."""
    radius = tl.sqrt(tl.sum(y * y, axis=1, keep_dims=True))
    along = y / tl.where(radius == 0.0, 1.0, radius)
    return tl.load(packed + 1) * (radius - tl.load(packed)) * along


@triton.jit
def banana(y, packed, DIM: constexpr, COUNT: constexpr):
    """y₁ / s² - 2 c y₁ b and b = (y₂ - c (y₁² - s²)) / w²; packed are (s², 1 / s², c, 1 / w²)."""
    a, b = _column(y, 0, DIM), _column(y, 1, DIM)
    bend = tl.load(packed + 2)
    across = (b - bend * (a * a - tl.load(packed))) * tl.load(packed + 3)
    along = a * tl.load(packed + 1) - 2.0 * bend * a * across
    place = tl.arange(0, DIM)[None, :]
    return tl.where(place == 0, along, across)


@triton.jit
def funnel(y, packed, DIM: constexpr, COUNT: constexpr):
    """v / s² + (d - 1) / 2 - ½ e^{-v} Σ y_i² and e^{-v} y_i; packed are (1 / s², (d - 1) / 2)."""
    v = _column(y, 0, DIM)
    narrow = tl.exp(-v)
    first = tl.arange(0, DIM)[None, :] == 0
    rest = tl.where(first, 0.0, y)
    squared = tl.sum(rest * rest, axis=1, keep_dims=True)
    neck = v * tl.load(packed) + tl.load(packed + 1) - 0.5 * narrow * squared
    return tl.where(first, neck, narrow * y)


@triton.jit
def gaussian(y, packed, DIM: constexpr, COUNT: constexpr):
    """Σ⁻¹ (y - μ); packed are μ (DIM), then Σ⁻¹ (DIM, DIM)."""
    place = tl.arange(0, DIM)
    off = y - tl.load(packed + place)[None, :]
    precision = packed + DIM
    if DIM >= WIDE:
        matrix = tl.load(precision + place[:, None] * DIM + place[None, :])
        return tl.dot(off, matrix, input_precision="ieee")
    slope = tl.zeros_like(y)
    for k in tl.static_range(DIM):
        slope += _column(off, k, DIM) * tl.load(precision + k * DIM + place)[None, :]
    return slope


@triton.jit
def _logit(y, packed, k, DIM: constexpr):
    """The log of a component's share, up to a constant, (n, 1), and its mean (1, DIM)."""
    own = packed + 1 + k * (DIM + 1)
    mean = tl.load(own + 1 + tl.arange(0, DIM))[None, :]
    off = y - mean
    squared = tl.sum(off * off, axis=1, keep_dims=True)
    return tl.load(own) - 0.5 * tl.load(packed) * squared, mean


@triton.jit
def mixture(y, packed, DIM: constexpr, COUNT: constexpr):
    """p (y - Σ r_k μ_k) with r the shares; packed are p, and (log w, μ (DIM)) of each component.

    The sums are kept beside the largest logit so far, so that each component is met once.
    """
    top, center = _logit(y, packed, 0, DIM)
    total = tl.full(top.shape, 1.0, tl.float32)
    center = center + tl.zeros_like(y)
    for k in range(1, COUNT):
        logit, mean = _logit(y, packed, k, DIM)
        higher = tl.maximum(top, logit)
        before, share = tl.exp(top - higher), tl.exp(logit - higher)
        total = total * before + share
        center = center * before + share * mean
        top = higher
    return tl.load(packed) * (y - center / total)


@triton.jit
def network(y, packed, DIM: constexpr, COUNT: constexpr):
    """∂/∂y of w₃ · s(W₂ s(W₁ y + b₁) + b₂), s = SiLU, by hand; COUNT units in both layers.

    Packed are W₁ᵀ (DIM, COUNT), b₁, W₂ (COUNT, COUNT), b₂, w₃. The weights stay in registers or in
    shared memory, where all steps find them.
    """
    unit = tl.arange(0, COUNT)
    inner = packed + COUNT * DIM
    matrix = tl.load(inner + COUNT + unit[:, None] * COUNT + unit[None, :])
    outer = inner + COUNT + COUNT * COUNT
    h = tl.zeros([y.shape[0], COUNT], tl.float32) + tl.load(inner + unit)[None, :]
    for k in tl.static_range(DIM):
        h += _column(y, k, DIM) * tl.load(packed + k * COUNT + unit)[None, :]
    gate = tl.sigmoid(h)
    bent = gate * (1.0 + h * (1.0 - gate))
    h = tl.dot(h * gate, tl.trans(matrix), input_precision="ieee")
    h += tl.load(outer + unit)[None, :]
    gate = tl.sigmoid(h)
    g = tl.load(outer + COUNT + unit)[None, :] * (gate * (1.0 + h * (1.0 - gate)))
    g = tl.dot(g, matrix, input_precision="ieee") * bent
    slope = tl.zeros_like(y)
    place = tl.arange(0, DIM)[None, :]
    for k in tl.static_range(DIM):
        weights = tl.load(packed + k * COUNT + unit)[None, :]
        slope += tl.where(place == k, tl.sum(g * weights, axis=1, keep_dims=True), 0.0)
    return slope


@triton.jit(do_not_specialize=["steps"])
def _chain(
    y,
    seeds,
    packed,
    out,
    chains,
    dim,
    row,
    column,
    steps,
    step_size,
    temperature,
    bound,
    HELD: constexpr,
    WARM: constexpr,
    CLAMP: constexpr,
    SLOPE: constexpr,
    COUNT: constexpr,
    DIM: constexpr,
    ROWS: constexpr,
) -> None:
    chain = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    place = tl.arange(0, DIM // 2)[None, :]
    half = (dim + 1) // 2
    # The two coordinates of a place lie side by side, so that a step moves nothing about.
    low, high = place < half, place < dim - half
    at = chain * row + place * column
    here = tl.interleave(
        tl.load(y + at, mask=(chain < chains) & low, other=0.0),
        tl.load(y + at + half * column, mask=(chain < chains) & high, other=0.0),
    )
    step_size = number(step_size, HELD)
    size = tl.sqrt(2.0 * step_size * number(temperature, WARM))
    for step in range(steps):
        one, two = normals(tl.load(seeds + step), chain, place)
        push = tl.interleave(tl.where(low, one, 0.0), tl.where(high, two, 0.0))
        slope = SLOPE(here, packed, DIM, COUNT)
        if CLAMP:
            # Unlike min and max, a comparison lets NaN through; an infinite slope becomes NaN.
            cut = tl.where(slope > bound, bound, tl.where(slope < -bound, -bound, slope))
            slope = cut + 0.0 * slope
        here = here - step_size * slope + size * push
    one, two = tl.split(tl.reshape(here, [ROWS, DIM // 2, 2]))
    tl.store(out + at, one, mask=(chain < chains) & low)
    tl.store(out + at + half * column, two, mask=(chain < chains) & high)


def chain(
    slope: tuple[Any, int, Tensor],
    y: Tensor,
    seeds: Tensor,
    step_size: float | Tensor,
    temperature: float | Tensor,
    clamp: float | None,
    tile: tuple[int, int],
) -> Tensor:
    """All steps of all chains in one launch; float32. The slope comes with its COUNT.

    A tile has so many chains and columns, twice the places of a vector's noise.
    """
    out = torch.empty_like(y)
    function, count, packed = slope
    chains, dim = y.shape
    rows, columns = tile
    arguments = (y, seeds, packed, out, chains, dim, *y.stride(), len(seeds))
    numbers = step_size, temperature, clamp or 0.0
    flags = isinstance(step_size, Tensor), isinstance(temperature, Tensor), clamp is not None
    kernel: Any = _chain[(triton.cdiv(chains, rows),)]
    # Triton launches on the current device. Products and sums are rounded apart, as in the twin.
    with torch.cuda.device_of(y):
        sizes = count, columns, rows
        kernel(*arguments, *numbers, *flags, function, *sizes, enable_fp_fusion=False)
    return out
