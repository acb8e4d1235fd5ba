"""Random numbers by counting: Threefry-2x32-13 in plain operations, a stream for every chain.

A block of two 32-bit words is Threefry's answer to

* the *key*: a seed's lower and upper word;
* the *counter*: first word the chain's number; second word `place + 2²⁴ stream`.

What a chain gets depends on the seed, the stream, its own number, its event's size d and the type
alone: not on how many chains there are, how they lie in memory, or what computes them. Chains
(chains,) have d = 1, and a 0-d tensor is chain 0.

* float32: place j has the coordinates j and j + h of the flattened event, h = ⌈d / 2⌉. Uniform
  numbers are the 24 upper bits of the first word and of the second; two normals are Box and
  Muller's, `words.normal_pair`.
* float64: place c has the uniform number of coordinate c, 27 upper bits of the first word before
  26 of the second. Normals j and j + h are √(-2 log(1 - u)) times cos 2πv and sin 2πv, of the
  uniform numbers u of place 2j and v of place 2j + 1.
* Lower precisions are float32's numbers, rounded: a uniform number may then be 1.

Normals and uniforms of one seed and one stream come from the same words.

NumPy computes where tensors are on the CPU, torch elsewhere and while a program is traced. Single
precision agrees among them to the last bit where no compiler contracts a × b + c and √ is rounded
correctly, as by NumPy, compiled or on a GPU (by torch's own on a CPU it may be off by one unit in
the last place); double precision agrees to rounding.

Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebmlab._kinds import require_floats
from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, ShapeError
from ebmlab.kernels.arrays import NUMPY, Array, Arrays
from ebmlab.kernels.grids import Blocks, filled
from ebmlab.kernels.words import Words, normal_pair, precise, precise_pair, unit

__all__ = ["fresh_seeds", "normals", "threefry", "uniforms"]

# The source's: as few rounds as have passed all tests with a margin, and its numbers.
ROUNDS = 13
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
# How many the counter has room for.
PLACES, STREAMS, CHAINS = 2**24, 2**8, 2**31


def fresh_seeds(rng: torch.Generator, steps: int) -> Tensor:
    """Seeds (steps,) of 63 random bits, int64 on rng's device.

    a + b seeds are a seeds and then b.

    Example:
        >>> seeds = fresh_seeds(torch.Generator().manual_seed(0), 5)
        >>> rng = torch.Generator().manual_seed(0)
        >>> bool((seeds == torch.cat([fresh_seeds(rng, 2), fresh_seeds(rng, 3)])).all())
        True
    """
    if rng.device.type != "cuda":
        return torch.empty(steps, dtype=torch.int64, device=rng.device).random_(generator=rng)
    # A kernel's draws depend on how many there are; these are counted on, four to a seed.
    seed, offset = rng.get_state().view(torch.int64)
    rng.set_state(torch.stack([seed, offset + 4 * steps]).view(torch.uint8))
    return torch.from_numpy(_counted(int(seed), int(offset) // 4, steps)).to(rng.device)


def _counted(seed: int, first: int, steps: int) -> np.ndarray:
    """Seeds (steps,) by counting on from `first`, with a generator's own seed as the key."""
    key, counter = np.array([seed], np.int64), first + np.arange(steps)
    words = ((part.astype(np.uint32), (part >> 32).astype(np.uint32)) for part in (key, counter))
    low, high = (word.astype(np.int64) for word in threefry(NUMPY, *words))
    return (high & 2**31 - 1) << 32 | low & 2**32 - 1


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
    _require(seeds, like, stream)
    words = _Stream(stream)
    make = words.precise_normals if like.dtype == torch.float64 else words.normals
    return filled(make, 2, seeds, like)


def uniforms(seeds: Tensor, like: Tensor, stream: int = 0) -> Tensor:
    """Uniform numbers in [0, 1) as `normals` gives normal ones; the arguments are the same.

    In float16 and bfloat16, which are float32's rounded, 1 occurs as well.

    Example:
        >>> uniforms(torch.tensor(3), torch.zeros(2, 3))[0]
        tensor([0.8944, 0.7770, 0.5891])
    """
    _require(seeds, like, stream)
    words = _Stream(stream)
    if like.dtype == torch.float64:
        return filled(words.precise_uniforms, 1, seeds, like)
    return filled(words.uniforms, 2, seeds, like)


def threefry(arrays: Arrays, key: Words, counter: Words) -> Words:
    """Two random words, int32, of a key and a counter, which broadcast.

    In torch keys and counters are int32, in NumPy uint32.

    Example:
        >>> from ebmlab.kernels.arrays import TORCH
        >>> zero = torch.zeros(1, dtype=torch.int32)
        >>> [hex(int(word) & 0xFFFFFFFF) for word in threefry(TORCH, (zero, zero), (zero, zero))]
        ['0x9d1c5ec6', '0x8bd50731']
    """
    keys = (*key, key[0] ^ key[1] ^ arrays.word(PARITY))
    x0, x1 = counter[0] + keys[0], counter[1] + keys[1]
    x0 = x0 + x1
    x1 = arrays.rotated(x1, ROTATIONS[0]) ^ x0  # both have the whole shape: the rest is in place
    for i in range(1, ROUNDS):
        x0 += x1
        x1 = arrays.rotated(x1, ROTATIONS[i % 8])
        x1 ^= x0
        if i % 4 == 3:
            j = i // 4 + 1
            x0 += keys[j % 3]
            x1 += keys[(j + 1) % 3] + arrays.word(j)
    return x0.view(arrays.int32), x1.view(arrays.int32)


class _Stream(NamedTuple):
    """What the blocks of a stream give."""

    number: int

    def words(self, at: Blocks, place: Array) -> Words:
        base = at.arrays.word(self.number * PLACES)
        return threefry(at.arrays, at.key, (at.chain, place + base))

    def normals(self, at: Blocks) -> tuple[Array, Array]:
        return normal_pair(at.arrays, self.words(at, at.place))

    def uniforms(self, at: Blocks) -> tuple[Array, Array]:
        first, second = self.words(at, at.place)
        return unit(at.arrays, first), unit(at.arrays, second)

    def precise_normals(self, at: Blocks) -> tuple[Array, Array]:
        even = 2 * at.place
        return precise_pair(at.arrays, self.words(at, even), self.words(at, even + 1))

    def precise_uniforms(self, at: Blocks) -> tuple[Array]:
        return (precise(at.arrays, self.words(at, at.place)),)


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
