"""Uniform and normal numbers from random words, to the same bit in NumPy, torch and compiled.

Words are int32; what an operation has made anew, the next ones change in place.
"""

import math
from collections.abc import Sequence

from ebmlab.kernels.arrays import Array, Arrays

__all__ = ["Words", "normal_pair", "precise", "precise_pair", "unit"]

Words = tuple[Array, Array]

SIGN, REST = -(2**31), 2**31 - 1
MANTISSA, HALF_ROOT = 2**23 - 1, 0x3F3504F3  # the bits of sqrt(1/2)
LOG_4 = 2 * math.log(2)
# The best polynomials in the sense of Chebyshev (by Remez's exchange), relative to the function;
# with their coefficients rounded to single precision all are within 5e-8 of it.
# -2 log(1 + f) / f for 1 + f in [sqrt(1/2), sqrt(2)].
LOG = (
    -2.0,
    0.9999997615814209,
    -0.6666837334632874,
    0.5000414848327637,
    -0.39913666248321533,
    0.33124786615371704,
    -0.2990453243255615,
    0.2873368561267853,
    -0.17444713413715363,
)
# sin(π x / 4) / x and cos(π x / 4) in x² for x in [-1, 1].
SIN = (0.7853981852531433, -0.08074543625116348, 0.00249000103212893, -3.59504520019982e-05)
COS = (1.0, -0.3084244132041931, 0.01585020124912262, -0.00031902003684081137)


def unit(arrays: Arrays, word: Array) -> Array:
    """A word's 24 upper bits as a uniform number in [0, 1), float32."""
    bits = word >> arrays.constant(8)
    bits &= arrays.constant(0xFFFFFF)
    number = arrays.converted(bits, arrays.float32)
    number *= arrays.constant(2.0**-24)
    return number


def normal_pair(arrays: Arrays, words: Words) -> Words:
    """Two standard normals, float32, by Box and Muller; only +, × and √, each correctly rounded.

    r cos θ and r sin θ in some order, r = √(-2 log u): u = (k + 1/2) / 2³¹ with the first word's
    lower 31 bits k, none beyond √(64 log 2) = 6.66; θ in [-π/4, π/4] from the second word's lower
    31 bits, the sign of the cosine and the order from the upper bits.
    """
    first, second = words
    radius = arrays.sqrt(_minus_log_square(arrays, first & arrays.constant(REST)))
    x = arrays.converted(second << arrays.constant(1), arrays.float32)
    x *= arrays.constant(2.0**-31)
    square = x * x
    x *= _polynomial(arrays, SIN, square)
    x *= radius
    radius *= _polynomial(arrays, COS, square)
    one = radius.view(arrays.int32) ^ (first & arrays.constant(SIGN))
    other = x.view(arrays.int32)
    exchange = one ^ other
    exchange &= second >> arrays.constant(31)  # of all bits or of none
    one ^= exchange
    return one.view(arrays.float32), (other ^ exchange).view(arrays.float32)


def _minus_log_square(arrays: Arrays, k: Array) -> Array:
    """-2 log((k + 1/2) / 2³¹) = -2 (e log 2 + log(1 + f)) ≥ 0, with 1 + f in [√(1/2), √2)."""
    number = arrays.converted(k, arrays.float32)
    number += arrays.constant(0.5)
    bits = number.view(arrays.int32) - arrays.constant(HALF_ROOT + (31 << 23))
    exponent = bits >> arrays.constant(23)
    bits &= arrays.constant(MANTISSA)
    bits += arrays.constant(HALF_ROOT)
    f = bits.view(arrays.float32) - arrays.constant(1.0)
    f *= _polynomial(arrays, LOG, f)
    square = arrays.converted(exponent, arrays.float32)
    square *= arrays.constant(-LOG_4)
    square += f
    return square


def _polynomial(arrays: Arrays, coefficients: Sequence[float], x: Array) -> Array:
    """By Horner's rule, the constant coefficient first."""
    first, *rest, last = coefficients
    value = x * arrays.constant(last)
    for coefficient in reversed(rest):
        value += arrays.constant(coefficient)
        value *= x
    value += arrays.constant(first)
    return value


def precise(arrays: Arrays, words: Words) -> Array:
    """A uniform number in [0, 1), float64: 27 upper bits of the first word, 26 of the second."""
    number = arrays.converted(words[0] >> 5 & 0x7FFFFFF, arrays.float64)
    number *= 2.0**26
    number += words[1] >> 6 & 0x3FFFFFF
    number *= 2.0**-53
    return number


def precise_pair(arrays: Arrays, radial: Words, angular: Words) -> Words:
    """Two standard normals, float64, by Box and Muller with the library's own functions."""
    radius = arrays.sqrt(-2.0 * arrays.log(1.0 - precise(arrays, radial)))
    angle = (2 * math.pi) * precise(arrays, angular)
    return radius * arrays.cos(angle), radius * arrays.sin(angle)
