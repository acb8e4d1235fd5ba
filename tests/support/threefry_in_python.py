"""Threefry's streams once more, from what their documentation says, in whole numbers."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ebmlab.kernels.threefry import uniforms


def block(seed: int, stream: int, chain: int, place: int) -> tuple[int, int]:
    """Threefry-2x32-13 in whole numbers, from the paper."""
    full = 2**32 - 1
    low, high = seed & full, (seed >> 32) & full
    keys = [low, high, low ^ high ^ 0x1BD11BDA]
    x, y = (chain + low) & full, (place + 2**24 * stream + high) & full
    for i in range(13):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[i % 8]
        x = (x + y) & full
        y = ((y << turn | y >> (32 - turn)) & full) ^ x
        if i % 4 == 3:
            s = i // 4 + 1
            x, y = (x + keys[s % 3]) & full, (y + keys[(s + 1) % 3] + s) & full
    return x, y


def single_normals(first: int, second: int) -> tuple[float, float]:
    """The pair of `words.normal_pair` by the library's log, sin and cos."""
    k = np.float32(first % 2**31) + np.float32(0.5)
    radius = math.sqrt(max(0.0, -2 * math.log(float(k) / 2**31)))
    low = second % 2**31
    angle = math.pi / 4 * (low - 2**31 if low >= 2**30 else low) / 2**30
    cosine, sine = radius * math.cos(angle), radius * math.sin(angle)
    cosine = -cosine if first >> 31 else cosine
    return (sine, cosine) if second >> 31 else (cosine, sine)


def documented(make: Callable, like: Tensor, seed: int, stream: int, chain: int) -> list[float]:
    """What the module's docstring says that one chain gets."""
    size, double = math.prod(like.shape[1:]), like.dtype == torch.float64

    def exact(place: int) -> float:
        first, second = block(seed, stream, chain, place)
        return ((first >> 5) * 2**26 + (second >> 6)) / 2**53

    def pair(j: int) -> tuple[float, float]:
        first, second = block(seed, stream, chain, j)
        if make is uniforms:
            return (first >> 8) / 2**24, (second >> 8) / 2**24
        if not double:
            return single_normals(first, second)
        radius, angle = math.sqrt(-2 * math.log1p(-exact(2 * j))), 2 * math.pi * exact(2 * j + 1)
        return radius * math.cos(angle), radius * math.sin(angle)

    if double and make is uniforms:
        return [exact(c) for c in range(size)]
    firsts, seconds = zip(*[pair(j) for j in range(-(-size // 2))], strict=True)
    return [*firsts, *seconds][:size]
