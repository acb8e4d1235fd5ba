"""Tensors filled by blocks of random words: where numbers lie, and who computes them."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebmlab._tracing import tracing
from ebmlab.kernels.arrays import NUMPY, TORCH, Array, Arrays
from ebmlab.kernels.words import Words

__all__ = ["Blocks", "Make", "filled"]

# Rows up to this length are laid out coordinate by coordinate, as `samplers` keeps its states.
SHORT = 16
# So many blocks at a time stay in a core's cache.
CHUNK = 2**15


class Blocks(NamedTuple):
    """Blocks of seeds (their lower and upper words), chains and places, which broadcast."""

    arrays: Arrays
    key: Words
    chain: Array
    place: Array


# The numbers of each block: that of the coordinate `place`, or those of `place`, `place + places`.
Make = Callable[[Blocks], tuple[Array, ...]]


class _Grid(NamedTuple):
    """Chains of `size` coordinates, from `places` blocks each."""

    chains: int
    size: int
    places: int
    short: bool

    @property
    def axis(self) -> int:
        """That of coordinates in memory: (seeds, coordinates, chains) where rows are short."""
        return 1 if self.short else 2

    def shape(self, seeds: int, along: int) -> tuple[int, int, int]:
        """That of memory, with so many coordinates or places."""
        return (seeds, along, self.chains) if self.short else (seeds, self.chains, along)


def filled(make: Make, per: int, seeds: Tensor, like: Tensor) -> Tensor:
    """Numbers (*lead, *like.shape) of seeds (*lead), in like's type.

    Args:
        make: gives float64 if like is, else float32.
        per: how many numbers make gives of a block, 1 or 2.
        seeds: int64, () or (K,).
        like: (chains, *event), (chains,) or ().
    """
    size = math.prod(like.shape[1:])
    short = like.ndim == 2 and size <= SHORT
    grid = _Grid(like.shape[0] if like.ndim else 1, size, -(-size // per), short)
    if tracing() or not seeds.is_cpu:
        numbers = _whole(make, seeds.reshape(-1, 1, 1), grid)
    else:
        dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
        numbers = torch.empty(grid.shape(seeds.numel(), size), dtype=dtype)
        _by_chunks(make, seeds.numpy().reshape(-1, 1, 1), grid, numbers.numpy())
    numbers = numbers.mT if short else numbers
    return numbers.reshape(seeds.shape + like.shape).to(like.dtype)


def _whole(make: Make, seeds: Tensor, grid: _Grid) -> Tensor:
    """By torch, all blocks at once."""
    key = (seeds << 32 >> 32).to(torch.int32), (seeds >> 32).to(torch.int32)
    chain = torch.arange(grid.chains, dtype=torch.int32, device=seeds.device)
    place = torch.arange(grid.places, dtype=torch.int32, device=seeds.device)
    chain, place = (chain, place[:, None]) if grid.short else (chain[:, None], place)
    first, *second = make(Blocks(TORCH, key, chain, place))
    rest = grid.size - grid.places
    return torch.cat([first, *(part.narrow(grid.axis, 0, rest) for part in second)], grid.axis)


def _by_chunks(make: Make, seeds: np.ndarray, grid: _Grid, out: np.ndarray) -> None:
    """By NumPy, some blocks at a time."""
    low, high = seeds.astype(np.uint32), (seeds >> 32).astype(np.uint32)
    shape = grid.shape(len(seeds), grid.places)
    outer, inner = (np.arange(n, dtype=np.uint32) for n in shape[1:])
    out = out.swapaxes(1, grid.axis)  # (seeds, coordinates, chains)
    for k, i, j in _boxes(shape):
        pair = outer[i, None], inner[j]
        chain, place = pair[::-1] if grid.short else pair
        at, others = (i, j) if grid.short else (j, i)
        parts = make(Blocks(NUMPY, (low[k], high[k]), chain, place))
        for n, part in enumerate(parts):
            shift = n * grid.places
            room = out[k, at.start + shift : at.stop + shift, others]
            room[...] = part.swapaxes(1, grid.axis)[:, : room.shape[1]]


def _boxes(shape: tuple[int, int, int]) -> Iterator[tuple[slice, ...]]:
    """Boxes of at most CHUNK blocks that fill the shape, long along its last axis."""
    room, slices = CHUNK, []
    for size in reversed(shape):
        step = -(-size // -(-size // room)) if size else 1
        room = max(1, room // step)
        slices.insert(0, [slice(s, min(s + step, size)) for s in range(0, size, step)])
    return itertools.product(*slices)
