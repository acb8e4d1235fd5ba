"""The numbers of `threefry` inside Triton kernels."""

import triton
import triton.language as tl
from triton.language import constexpr

__all__ = ["normals", "number", "threefry"]


@triton.jit
def _mix(a, b, LEFT: constexpr):
    """One round: add, rotate, xor."""
    a = a + b
    b = (b << LEFT) | (b >> (32 - LEFT))
    return a, a ^ b


@triton.jit
def threefry(k0, k1, c0, c1):
    """Two random words of two key words and two counter words, all uint32: Threefry-2x32-13."""
    k2 = k0 ^ k1 ^ 0x1BD11BDA
    a = c0 + k0
    b = c1 + k1
    a, b = _mix(a, b, 13)
    a, b = _mix(a, b, 15)
    a, b = _mix(a, b, 26)
    a, b = _mix(a, b, 6)
    a, b = a + k1, b + k2 + 1
    a, b = _mix(a, b, 17)
    a, b = _mix(a, b, 29)
    a, b = _mix(a, b, 16)
    a, b = _mix(a, b, 24)
    a, b = a + k2, b + k0 + 2
    a, b = _mix(a, b, 13)
    a, b = _mix(a, b, 15)
    a, b = _mix(a, b, 26)
    a, b = _mix(a, b, 6)
    a, b = a + k0, b + k1 + 3
    return _mix(a, b, 17)


@triton.jit
def number(given, HELD: constexpr):
    """A number in single precision: as it was handed over, or from where it is held."""
    if HELD:
        value = tl.load(given).to(tl.float32)
    else:
        value = given
    return value


@triton.jit
def normals(seed, chain, pair):
    """Two standard normals at places 2 pair and 2 pair + 1 of a chain."""
    k0, k1 = seed.to(tl.uint32), (seed >> 32).to(tl.uint32)
    chain, pair = tl.broadcast(chain.to(tl.uint32), pair.to(tl.uint32))
    a, b = threefry(k0, k1, chain, pair)
    radius = tl.sqrt(-2.0 * tl.log(((a >> 8).to(tl.float32) + 0.5) * (1.0 / 16777216)))
    angle = (b >> 8).to(tl.float32) * (2 * 3.141592653589793 / 16777216)
    return radius * tl.cos(angle), radius * tl.sin(angle)
