"""The fused updates of `update` as Triton kernels; loaded only where they run."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language import constexpr

__all__ = ["kick_drift", "langevin", "refreshed_kick_drift"]

# Counters per program, one to a thread; each counter is four elements, one 128-bit load.
BLOCK = 128


@triton.jit
def _noise(seed, first, BLOCK: constexpr):
    """4 BLOCK normals in the order of their elements, from BLOCK counters."""
    n0, n1, n2, n3 = tl.randn4x(seed, first + tl.arange(0, BLOCK))
    return tl.interleave(tl.interleave(n0, n2), tl.interleave(n1, n3))


@triton.jit(do_not_specialize=["offset"])
def _langevin(
    y, grad, seed, out, count, step_size, size, bound, offset, CLAMP: constexpr, BLOCK: constexpr
) -> None:
    first = tl.program_id(0).to(tl.int64) * BLOCK
    at = 4 * first + tl.arange(0, 4 * BLOCK)
    inside = at < count
    g = tl.load(grad + at, mask=inside)
    if CLAMP:
        # Unlike min and max, a comparison lets NaN through.
        g = tl.where(g > bound, bound, tl.where(g < -bound, -bound, g))
    noise = _noise(tl.load(seed), first + tl.cast(offset, tl.int64), BLOCK)
    moved = tl.load(y + at, mask=inside) - step_size * g + size * noise
    tl.store(out + at, moved, mask=inside)


@triton.jit(do_not_specialize=["offset"])
def _kick_drift(
    y, r, grad, seed, y_out, r_out, count, step_size, offset, REFRESH: constexpr, BLOCK: constexpr
) -> None:
    first = tl.program_id(0).to(tl.int64) * BLOCK
    at = 4 * first + tl.arange(0, 4 * BLOCK)
    inside = at < count
    if REFRESH:
        momentum = _noise(tl.load(seed), first + tl.cast(offset, tl.int64), BLOCK)
    else:
        momentum = tl.load(r + at, mask=inside)
    momentum -= 0.5 * step_size * tl.load(grad + at, mask=inside)
    tl.store(r_out + at, momentum, mask=inside)
    tl.store(y_out + at, tl.load(y + at, mask=inside) + step_size * momentum, mask=inside)


def langevin(
    y: Tensor,
    grad: Tensor,
    seed: Tensor,
    step_size: float,
    size: float,
    clamp: float | None,
    offset: int,
    block: int = BLOCK,
) -> Tensor:
    """y - ε g + s ξ in one pass; float32."""
    y, grad = y.contiguous(), grad.contiguous()
    out = torch.empty_like(y)
    arguments = (y, grad, seed, out, y.numel(), step_size, size, clamp or 0.0, offset)
    _launch(_langevin, arguments, block, CLAMP=clamp is not None)
    return out


def kick_drift(
    y: Tensor, momentum: Tensor, grad: Tensor, step_size: float, block: int = BLOCK
) -> tuple[Tensor, Tensor]:
    """Half a kick and a drift in one pass; float32."""
    return _kicked(y, momentum, grad, y, step_size, 0, block=block, refresh=False)


def refreshed_kick_drift(
    y: Tensor, grad: Tensor, seed: Tensor, step_size: float, offset: int, block: int = BLOCK
) -> tuple[Tensor, Tensor]:
    """The same from a momentum made in the kernel; float32."""
    return _kicked(y, y, grad, seed, step_size, offset, block=block, refresh=True)


def _kicked(
    y: Tensor,
    momentum: Tensor,
    grad: Tensor,
    seed: Tensor,
    *numbers: Any,
    block: int,
    refresh: bool,
) -> tuple[Tensor, Tensor]:
    y = y.contiguous()
    out = torch.empty_like(y), torch.empty_like(y)
    arguments = (y, momentum.contiguous(), grad.contiguous(), seed, *out, y.numel(), *numbers)
    _launch(_kick_drift, arguments, block, REFRESH=refresh)
    return out


def _launch(kernel: Any, arguments: tuple[Any, ...], block: int, **flags: bool) -> None:
    like = arguments[0]
    programs = triton.cdiv(like.numel(), 4 * block)
    if programs == 0:
        return
    # Triton launches on the current device. Products and sums are rounded apart, as in the twin.
    with torch.cuda.device_of(like):
        kernel[(programs,)](*arguments, **flags, BLOCK=block, enable_fp_fusion=False)
