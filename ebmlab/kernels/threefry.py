"""Random numbers by counting: Threefry-2x32-13 in plain operations, a stream for every chain.

A block of two 32-bit words is Threefry's answer to

* the *key*: a seed's lower and upper word;
* the *counter*: first word the chain's number; second word `place + 2²⁴ stream`.

What a chain gets depends on the seed, the stream, its own number and its event's size d alone: not
on how many chains there are, how they lie in memory, or what computes them.

* float32: place j has the coordinates j and j + h of the flattened event, h = ⌈d / 2⌉. A uniform
  number is a word's 24 upper bits; two normals are Box and Muller's, `words.normal_pair`.
* float64: place c has the uniform number of coordinate c, 53 bits; places 2j and 2j + 1 have the
  radius and the angle of the normals j and j + h.
* Lower precisions are float32's numbers, rounded.

NumPy computes where tensors are on the CPU, torch elsewhere and while a program is traced. Single
precision agrees among them to the last bit, as far as no compiler contracts a × b + c; double
precision to rounding. Normals and uniforms of one seed and one stream come from the same words.

Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebmlab._kinds import require_floats
from ebmlab._tracing import tracing
from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, ShapeError
from ebmlab.kernels.words import (
    NUMPY,
    TORCH,
    Arrays,
    Words,
    normal_pair,
    precise,
    precise_pair,
    unit,
)

__all__ = ["fresh_seeds", "normals", "threefry", "uniforms"]

ROUNDS = 13
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
PLACES, STREAMS, CHAINS = 2**24, 2**8, 2**31
# Rows up to this length are laid out coordinate by coordinate, as `samplers` keeps its states.
SHORT = 16
# So many blocks at a time stay in a core's cache.
CHUNK = 2**15


def fresh_seeds(rng: torch.Generator, steps: int) -> Tensor:
    """Seeds (steps,) of 63 random bits, int64 on rng's device.

    On the CPU a + b seeds are a seeds and then b; a CUDA generator's stream differs by the call.

    Example:
        >>> seeds = fresh_seeds(torch.Generator().manual_seed(0), 5)
        >>> rng = torch.Generator().manual_seed(0)
        >>> bool((seeds == torch.cat([fresh_seeds(rng, 2), fresh_seeds(rng, 3)])).all())
        True
    """
    return torch.empty(steps, dtype=torch.int64, device=rng.device).random_(generator=rng)


def normals(seeds: Tensor, like: Tensor, stream: int = 0) -> Tensor:
    """Standard normals (*lead, *like.shape) of seeds (*lead), in like's type, on its device.

    Args:
        seeds: int64, 0-d or (K,).
        like: (chains, *event), (chains,) or 0-d; only shape, type and device count.
        stream: which of a seed's 256 streams.

    Raises:
        ShapeError, DtypeError, DeviceError: if seeds or like are of another form.
        ConfigurationError: if there is no such stream.

    Example:
        >>> normals(torch.tensor(3), torch.zeros(2, 3))[0]
        tensor([ 0.1904, -1.0774, -0.6620])
    """
    make = _precise_normals if like.dtype == torch.float64 else _normals
    return _numbers(make, 2, seeds, like, stream)


def uniforms(seeds: Tensor, like: Tensor, stream: int = 0) -> Tensor:
    """Uniform numbers in [0, 1) as `normals` gives normal ones; the arguments are the same.

    Example:
        >>> uniforms(torch.tensor(3), torch.zeros(2, 3))[0]
        tensor([0.8944, 0.7770, 0.5891])
    """
    if like.dtype == torch.float64:
        return _numbers(_precise_uniforms, 1, seeds, like, stream)
    return _numbers(_uniforms, 2, seeds, like, stream)


def threefry(arrays: Arrays, key: Words, counter: Words) -> Words:
    """Two random words of a key and a counter, all int32; they broadcast.

    Example:
        >>> zero = torch.zeros(1, dtype=torch.int32)
        >>> [hex(int(word) & 0xFFFFFFFF) for word in threefry(TORCH, (zero, zero), (zero, zero))]
        ['0x9d1c5ec6', '0x8bd50731']
    """
    keys = (*key, key[0] ^ key[1] ^ PARITY)
    x0, x1 = counter[0] + keys[0], counter[1] + keys[1]
    x0, x1 = x0 + 0 * x1, x1 + 0 * x0  # of one shape: what follows is in place
    for i in range(ROUNDS):
        turn = ROTATIONS[i % 8]
        x0 += x1
        right = arrays.shifted(x1, 32 - turn)
        x1 <<= turn
        x1 ^= x0
        x1 ^= right
        if i % 4 == 3:
            j = i // 4 + 1
            x0 += keys[j % 3]
            x1 += keys[(j + 1) % 3] + j
    return x0.view(arrays.int32), x1.view(arrays.int32)


class _Blocks(NamedTuple):
    """The words at each place, for some chains and seeds."""

    arrays: Arrays
    key: Words
    chain: Any
    stream: int

    def __call__(self, place: Any) -> Words:
        return threefry(self.arrays, self.key, (self.chain, place + self.stream))


Maker = Callable[[_Blocks, Any], tuple[Any, ...]]


def _normals(blocks: _Blocks, place: Any) -> tuple[Any, ...]:
    return normal_pair(blocks.arrays, blocks(place))


def _uniforms(blocks: _Blocks, place: Any) -> tuple[Any, ...]:
    first, second = blocks(place)
    return unit(blocks.arrays, first), unit(blocks.arrays, second)


def _precise_normals(blocks: _Blocks, place: Any) -> tuple[Any, ...]:
    return precise_pair(blocks.arrays, blocks(2 * place), blocks(2 * place + 1))


def _precise_uniforms(blocks: _Blocks, place: Any) -> tuple[Any, ...]:
    return (precise(blocks.arrays, blocks(place)),)


def _numbers(make: Maker, per: int, seeds: Tensor, like: Tensor, stream: int) -> Tensor:
    _require(seeds, like, stream)
    chains = like.shape[0] if like.ndim else 1
    size = math.prod(like.shape[1:])
    dtype = like.dtype if like.dtype == torch.float64 else torch.float32
    short = like.ndim == 2 and size <= SHORT
    half = -(-size // per)
    grid = (seeds.numel(), half, chains) if short else (seeds.numel(), chains, half)
    fill = _whole if tracing() or not seeds.is_cpu else _by_chunks
    made = fill(make, seeds.reshape(-1, 1, 1), grid, short, size, stream, dtype)
    made = made.mT if short else made
    return made.reshape(seeds.shape + like.shape).to(like.dtype)


def _whole(make, seeds, grid, short, size, stream, dtype) -> Tensor:
    places, chains = (grid[1], grid[2]) if short else (grid[2], grid[1])
    chain = torch.arange(chains, dtype=torch.int32, device=seeds.device)
    place = torch.arange(places, dtype=torch.int32, device=seeds.device)
    chain, place = (chain, place[:, None]) if short else (chain[:, None], place)
    key = ((seeds << 32) >> 32).to(torch.int32), (seeds >> 32).to(torch.int32)
    base = _signed(stream * PLACES)
    parts = make(_Blocks(TORCH, key, chain, base), place)
    dim = 1 if short else 2
    parts = parts[0], *(part.narrow(dim, 0, size - places) for part in parts[1:])
    return torch.cat(parts, dim)


def _by_chunks(make, seeds, grid, short, size, stream, dtype) -> Tensor:
    shape = (grid[0], size, grid[2]) if short else (grid[0], grid[1], size)
    places = grid[1] if short else grid[2]
    out = torch.empty(shape, dtype=dtype)
    numbers = out.numpy()
    low, high = (
        ((seeds << 32) >> 32).to(torch.int32).numpy(),
        (seeds >> 32).to(torch.int32).numpy(),
    )
    axes = [np.arange(n, dtype=np.uint32) for n in grid[1:]]
    base = stream * PLACES
    low, high = low.view(np.uint32), high.view(np.uint32)
    dim = 1 if short else 2
    for k, i, j in _chunks(grid):
        outer, inner = axes[0][i, None], axes[1][j]
        chain, place = (inner, outer) if short else (outer, inner)
        parts = make(_Blocks(NUMPY, (low[k], high[k]), chain, base), place)
        at = i if short else j
        for n, part in enumerate(parts):
            start = at.start + n * places
            room = min(part.shape[dim], size - start)
            if short:
                numbers[k, start : start + room, j] = part[:, :room]
            else:
                numbers[k, i, start : start + room] = part[:, :, :room]
    return out


def _chunks(grid: tuple[int, int, int]) -> Iterator[tuple[slice, ...]]:
    """Boxes of at most CHUNK blocks that fill the grid, long along its last axis."""
    room, slices = CHUNK, []
    for size in reversed(grid):
        step = -(-size // -(-size // room)) if size else 1
        room = max(1, room // step)
        slices.insert(0, [slice(s, min(s + step, size)) for s in range(0, size, step)])
    return itertools.product(*slices)


def _signed(word: int) -> int:
    return (word & 0xFFFFFFFF ^ 2**31) - 2**31


def _require(seeds: Tensor, like: Tensor, stream: int) -> None:
    if seeds.ndim > 1:
        raise ShapeError(f"seeds have shape {tuple(seeds.shape)}; expected () or (K,)")
    if seeds.dtype != torch.int64:
        raise DtypeError(f"seeds are {seeds.dtype}; expected int64, as `fresh_seeds` gives")
    if seeds.device != like.device:
        raise DeviceError(f"seeds are on {seeds.device}, like on {like.device}; move with .to()")
    require_floats("like", like)
    if math.prod(like.shape[1:]) > PLACES or math.prod(like.shape[:1]) > CHAINS:
        raise ShapeError(
            f"like has shape {tuple(like.shape)}; there are at most 2^31 chains and 2^24 "
            "coordinates of each: draw a larger event in parts, each from a stream of its own"
        )
    if not 0 <= stream < STREAMS:
        raise ConfigurationError(f"stream is {stream}; expected 0 <= stream < {STREAMS}")
