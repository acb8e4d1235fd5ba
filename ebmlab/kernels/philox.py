"""Philox 4x32-10 in plain torch: the numbers of Triton's `randint4x`, `rand4x` and `randn4x`."""

import math

import torch
from torch import Tensor

from ebmlab.errors import DeviceError, DtypeError, ShapeError

__all__ = [
    "Four",
    "fresh_seed",
    "normals",
    "philox",
    "rand4x",
    "randint4x",
    "randn4x",
    "require_alike",
    "require_stream",
    "runs_fused",
]

Four = tuple[Tensor, Tensor, Tensor, Tensor]

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF
# The largest integer times this stays below 1 after rounding to single precision.
TO_UNIT = 4.6566127342e-10


def fresh_seed(rng: torch.Generator) -> Tensor:
    """A seed of 63 random bits, a 0-d int64 tensor on rng's device; nothing waits for it."""
    return torch.empty((), dtype=torch.int64, device=rng.device).random_(generator=rng)


def require_stream(seed: Tensor, y: Tensor) -> None:
    """Raise unless seed is one 0-d int64 tensor on y's device."""
    if seed.shape != ():
        raise ShapeError(f"seed has shape {tuple(seed.shape)}; it must be 0-d, one for all of y")
    if seed.dtype != torch.int64:
        raise DtypeError(f"seed is {seed.dtype}; it must be int64, as `fresh_seed(rng)` gives")
    if seed.device != y.device:
        raise DeviceError(f"seed is on {seed.device}, y on {y.device}; move one with .to()")


def require_alike(name: str, t: Tensor, like: str, other: Tensor) -> None:
    """Raise unless two tensors share shape, type and device."""
    if t.shape != other.shape:
        raise ShapeError(
            f"{name} has shape {tuple(t.shape)}, {like} {tuple(other.shape)}; they must be equal"
        )
    if t.dtype != other.dtype:
        raise DtypeError(f"{name} is {t.dtype}, {like} {other.dtype}; convert one with .to(dtype)")
    if t.device != other.device:
        raise DeviceError(
            f"{name} is on {t.device}, {like} on {other.device}; move one with .to()"
        )


def runs_fused(y: Tensor) -> bool:
    """Whether Triton takes y: the compiler fuses plain torch itself, and kernels are float32."""
    return y.is_cuda and y.dtype == torch.float32 and not torch.compiler.is_compiling()


def philox(counter: Four, key: tuple[Tensor, Tensor]) -> Four:
    """Four random words of four counter words and two key words, all int64 in [0, 2³²).

    Ten rounds of c0, c1, c2, c3 = hi(B c2) ⊕ c1 ⊕ k0, lo(B c2), hi(A c0) ⊕ c3 ⊕ k1, lo(A c0), the
    key raised by the Weyl constants after each.

    Example:
        >>> zero = torch.zeros((), dtype=torch.int64)
        >>> hex(int(philox((zero, zero, zero, zero), (zero, zero))[0]))
        '0x6627e8d5'

    Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        high_a, low_a = _product(c0, MULTIPLIERS[0])
        high_b, low_b = _product(c2, MULTIPLIERS[1])
        c0, c1, c2, c3 = high_b ^ c1 ^ k0, low_b, high_a ^ c3 ^ k1, low_a
        k0, k1 = (k0 + WEYL[0]) & WORD, (k1 + WEYL[1]) & WORD
    return c0, c1, c2, c3


def _product(a: Tensor, b: int) -> tuple[Tensor, Tensor]:
    """High and low word of a product, by halves: it does not fit in int64."""
    low = a * (b & 0xFFFF)
    upper = a * (b >> 16) + (low >> 16)
    return upper >> 16, ((upper & 0xFFFF) << 16) | (low & 0xFFFF)


def randint4x(seed: Tensor, counter: Tensor) -> Four:
    """Four random words, int64 in [0, 2³²), at each 64-bit counter.

    Args:
        seed: 0-d int64; its two words are the key.
        counter: int64 of any shape, its two words the lower half of Philox's counter.

    Example:
        >>> [int(word) for word in randint4x(torch.tensor(3), torch.tensor(5))]
        [2329659899, 723453337, 3569908640, 2212838424]
    """
    zero = torch.zeros_like(counter)
    words = (counter & WORD, (counter >> 32) & WORD, zero, zero)
    return philox(words, (seed & WORD, (seed >> 32) & WORD))


def rand4x(seed: Tensor, counter: Tensor) -> Four:
    """Four uniform numbers, float32 in [0, 1), at each counter.

    Example:
        >>> rand4x(torch.tensor(3), torch.tensor([5]))[0]
        tensor([0.9152])
    """
    w0, w1, w2, w3 = randint4x(seed, counter)
    return _unit(w0), _unit(w1), _unit(w2), _unit(w3)


def _unit(word: Tensor) -> Tensor:
    """A word read as signed, negative ones flipped, scaled to [0, 1)."""
    size = torch.where(word > WORD >> 1, WORD - word, word)
    return size.to(torch.float32) * TO_UNIT


def randn4x(seed: Tensor, counter: Tensor) -> Four:
    """Four standard normals, float32, at each counter; by Box and Muller, none beyond 5.68.

    Example:
        >>> randn4x(torch.tensor(3), torch.tensor([5]))[0]
        tensor([-0.2186])
    """
    u0, u1, u2, u3 = rand4x(seed, counter)
    return *_pair(u0, u1), *_pair(u2, u3)


def _pair(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    radius = (-2.0 * u.clamp(min=1e-7).log()).sqrt()
    angle = 2 * math.pi * v
    return radius * angle.cos(), radius * angle.sin()


def normals(seed: Tensor, like: Tensor, offset: int = 0) -> Tensor:
    """Standard normals of a tensor's shape and type, with float32's precision.

    Element i of the flattened tensor is number i mod 4 of the counter offset + ⌊i / 4⌋, so that it
    depends on its place alone. A tensor of n elements uses up ⌈n / 4⌉ counters.

    Example:
        >>> normals(torch.tensor(3), torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """
    counter = torch.arange(-(-like.numel() // 4), device=like.device) + offset
    numbers = torch.stack(randn4x(seed, counter), dim=-1)
    return numbers.flatten()[: like.numel()].reshape(like.shape).to(like.dtype)
