"""The numbers of `threefry` inside Triton kernels."""

import triton
import triton.language as tl
from triton.language import constexpr

from ebmlab.kernels import words

__all__ = ["normals", "number", "threefry"]

REST, MANTISSA, HALF_ROOT = map(constexpr, (words.REST, words.MANTISSA, words.HALF_ROOT))
SIGN = constexpr(0x80000000)
LOG_4 = constexpr(words.LOG_4)
L0, L1, L2, L3, L4, L5, L6, L7, L8 = map(constexpr, words.LOG)
S0, S1, S2, S3 = map(constexpr, words.SIN)
C0, C1, C2, C3 = map(constexpr, words.COS)


@triton.jit
def _mix(a, b, left):
    """One round: add, rotate, xor."""
    a = a + b
    b = (b << left) | (b >> (32 - left))
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
    return tl.load(given).to(tl.float32) if HELD else given


@triton.jit
def _minus_log_square(k):
    """-2 log((k + 1/2) / 2³¹)."""
    number = k.to(tl.float32) + 0.5
    bits = number.to(tl.int32, bitcast=True) - HALF_ROOT
    f = ((bits & MANTISSA) + HALF_ROOT).to(tl.float32, bitcast=True) - 1.0
    bent = ((((f * L8 + L7) * f + L6) * f + L5) * f + L4) * f + L3
    bent = ((bent * f + L2) * f + L1) * f + L0
    return ((bits >> 23) - 31).to(tl.float32) * -LOG_4 + f * bent


@triton.jit
def normals(seed, chain, place):
    """Two normals at a place of chains, those of `words.normal_pair` to the last bit."""
    k0, k1 = seed.to(tl.uint32), (seed >> 32).to(tl.uint32)
    first, second = threefry(k0, k1, chain.to(tl.uint32), place.to(tl.uint32))
    radius = tl.sqrt_rn(_minus_log_square((first & REST).to(tl.int32, bitcast=True)))
    x = (second << 1).to(tl.int32, bitcast=True).to(tl.float32) * (1.0 / 2147483648.0)
    square = x * x
    x = x * (((square * S3 + S2) * square + S1) * square + S0) * radius
    y = radius * (((square * C3 + C2) * square + C1) * square + C0)
    y = (y.to(tl.uint32, bitcast=True) ^ (first & SIGN)).to(tl.float32, bitcast=True)
    swap = (second & SIGN) != 0
    return tl.where(swap, x, y), tl.where(swap, y, x)
