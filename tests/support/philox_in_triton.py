"""Triton's own random numbers, written out."""

import triton
import triton.language as tl


@triton.jit
def randint4x(counter, seed, out, count, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < count
    numbers = tl.randint4x(tl.load(seed), tl.load(counter + at, mask=inside, other=0))
    for k in tl.static_range(4):
        tl.store(out + k * count + at, numbers[k], mask=inside)


@triton.jit
def rand4x(counter, seed, out, count, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < count
    numbers = tl.rand4x(tl.load(seed), tl.load(counter + at, mask=inside, other=0))
    for k in tl.static_range(4):
        tl.store(out + k * count + at, numbers[k], mask=inside)


@triton.jit
def randn4x(counter, seed, out, count, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < count
    numbers = tl.randn4x(tl.load(seed), tl.load(counter + at, mask=inside, other=0))
    for k in tl.static_range(4):
        tl.store(out + k * count + at, numbers[k], mask=inside)
