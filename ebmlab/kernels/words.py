"""Uniform and normal numbers from random words, to the same bit in NumPy, torch and compiled."""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["NUMPY", "TORCH", "Arrays", "Words", "normal_pair", "precise", "precise_pair", "unit"]

Array = Any
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


class Arrays(NamedTuple):
    """What NumPy and torch spell differently; the rest is operators that both have."""

    word: Any  # the type whose right shift is `shifted`
    int32: Any
    float32: Any
    float64: Any
    converted: Callable[[Array, Any], Array]
    shifted: Callable[[Array, int], Array]
    sqrt: Callable[[Array], Array]
    log: Callable[[Array], Array]
    sin: Callable[[Array], Array]
    cos: Callable[[Array], Array]


def _shifted(word: torch.Tensor, by: int) -> torch.Tensor:
    word = word >> by
    word &= (1 << (32 - by)) - 1
    return word


TORCH = Arrays(
    *(torch.int32, torch.int32, torch.float32, torch.float64, torch.Tensor.to, _shifted),
    *(torch.sqrt, torch.log, torch.sin, torch.cos),
)
NUMPY = Arrays(
    *(np.uint32, np.int32, np.float32, np.float64, np.ndarray.astype, operator.rshift),
    *(np.sqrt, np.log, np.sin, np.cos),
)


def unit(arrays: Arrays, word: Array) -> Array:
    """A word's 24 upper bits as a uniform number in [0, 1), float32."""
    number = arrays.converted(word >> 8 & 0xFFFFFF, arrays.float32)
    number *= 2.0**-24
    return number


def normal_pair(arrays: Arrays, words: Words) -> tuple[Array, Array]:
    """Two standard normals, float32, by Box and Muller; only +, × and √, each correctly rounded.

    r cos θ and r sin θ in some order, r = √(-2 log u): u = (k + 1/2) / 2³¹ with the first word's
    lower 31 bits k, none beyond √(64 log 2) = 6.66; θ in [-π/4, π/4] from the second word's lower
    31 bits, the sign of the cosine and the order from the upper bits.
    """
    first, second = words
    radius = arrays.sqrt(_minus_log_square(arrays, first & REST))
    x = arrays.converted(second << 1, arrays.float32)
    x *= 2.0**-31
    square = x * x
    x *= _polynomial(SIN, square)
    x *= radius
    radius *= _polynomial(COS, square)
    one = radius.view(arrays.int32) ^ (first & SIGN)
    other = x.view(arrays.int32)
    swapped = (one ^ other) & (second >> 31)
    return (one ^ swapped).view(arrays.float32), (other ^ swapped).view(arrays.float32)


def _minus_log_square(arrays: Arrays, k: Array) -> Array:
    """-2 log((k + 1/2) / 2³¹), never negative."""
    number = arrays.converted(k, arrays.float32)
    number += 0.5
    bits = number.view(arrays.int32) - (HALF_ROOT + (31 << 23))
    exponent = bits >> 23
    bits &= MANTISSA
    bits += HALF_ROOT
    f = bits.view(arrays.float32) - 1.0
    f *= _polynomial(LOG, f)
    whole = arrays.converted(exponent, arrays.float32)
    whole *= -LOG_4
    whole += f
    return whole


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    *rest, last = coefficients
    value = x * last
    for coefficient in reversed(rest[1:]):
        value += coefficient
        value *= x
    value += rest[0]
    return value


def precise(arrays: Arrays, words: Words) -> Array:
    """A uniform number in [0, 1), float64: 27 upper bits of the first word, 26 of the second."""
    number = arrays.converted(words[0] >> 5 & 0x7FFFFFF, arrays.float64)
    number *= 2.0**26
    number += words[1] >> 6 & 0x3FFFFFF
    number *= 2.0**-53
    return number


def precise_pair(arrays: Arrays, radial: Words, angular: Words) -> tuple[Array, Array]:
    """Two standard normals, float64, by Box and Muller with the library's own functions."""
    radius = arrays.sqrt(-2.0 * arrays.log(1.0 - precise(arrays, radial)))
    angle = (2 * math.pi) * precise(arrays, angular)
    return radius * arrays.cos(angle), radius * arrays.sin(angle)
