"""The fused update of `update` as a Triton kernel; loaded only where it runs."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language import constexpr

from ebmlab.kernels.threefry_triton import normals, number

__all__ = ["langevin"]

# Places per program, two elements each.
TILE = 512


@triton.jit
def _pushed(y, g, noise, step_size, size, bound, CLAMP: constexpr):
    """Y - ε g + s ξ."""
    if CLAMP:
        # Unlike min and max, a comparison lets NaN through; an infinite slope becomes NaN.
        g = tl.where(g > bound, bound, tl.where(g < -bound, -bound, g)) + 0.0 * g
    return y - step_size * g + size * noise


@triton.jit
def _langevin(
    y,
    grad,
    seed,
    out,
    chains,
    dim,
    half,
    step_size,
    temperature,
    bound,
    HELD: constexpr,
    WARM: constexpr,
    CLAMP: constexpr,
    SIDE: constexpr,
    ROWS: constexpr,
    PLACES: constexpr,
) -> None:
    chain = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    place = tl.program_id(1) * PLACES + tl.arange(0, PLACES)[None, :]
    step_size = number(step_size, HELD)
    size = tl.sqrt(2.0 * step_size * number(temperature, WARM))
    if SIDE:
        at, step = chain + place.to(tl.int64) * chains, chains
    else:
        at, step = chain * dim + place, 1
    noise, other = normals(tl.load(seed), chain, place)
    inside = (chain < chains) & (place < half)
    before, g = tl.load(y + at, mask=inside), tl.load(grad + at, mask=inside)
    tl.store(out + at, _pushed(before, g, noise, step_size, size, bound, CLAMP), mask=inside)
    at += tl.cast(half, tl.int64) * step
    inside = (chain < chains) & (place < dim - half)
    before, g = tl.load(y + at, mask=inside), tl.load(grad + at, mask=inside)
    tl.store(out + at, _pushed(before, g, other, step_size, size, bound, CLAMP), mask=inside)


def langevin(
    y: Tensor,
    grad: Tensor,
    seed: Tensor,
    step_size: float | Tensor,
    temperature: float | Tensor,
    clamp: float | None,
    tile: int = TILE,
) -> Tensor:
    """y - ε g + √(2εT) ξ in one pass; float32, in the layout of y."""
    side = y.ndim == 2 and not y.is_contiguous() and y.mT.is_contiguous()
    y = y if side else y.contiguous()
    grad = grad if grad.stride() == y.stride() else torch.empty_like(y).copy_(grad)
    out = torch.empty_like(y)
    if y.numel() == 0:
        return out
    chains, dim = len(y), y[0].numel()
    half = (dim + 1) // 2
    places = min(triton.next_power_of_2(half), tile)
    rows = tile // places
    numbers = step_size, temperature, clamp or 0.0
    held = isinstance(step_size, Tensor), isinstance(temperature, Tensor)
    kernel: Any = _langevin[(triton.cdiv(chains, rows), triton.cdiv(half, places))]
    # Triton launches on the current device. Products and sums are rounded apart, as in the twin.
    with torch.cuda.device_of(y):
        arguments = y, grad, seed, out, chains, dim, half, *numbers
        flags = *held, clamp is not None, side, rows, places
        kernel(*arguments, *flags, enable_fp_fusion=False)
    return out
