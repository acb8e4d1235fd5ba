"""The words and normals of a seed as Triton kernels make them, written out."""

import triton
import triton.language as tl

from ebmlab.kernels.threefry_triton import normals, threefry


@triton.jit
def words(key, counter, out, COUNT: tl.constexpr):
    at = tl.arange(0, COUNT)
    k0, k1 = tl.load(key).to(tl.uint32), tl.load(key + 1).to(tl.uint32)
    first, second = tl.load(counter + at), tl.load(counter + COUNT + at)
    a, b = threefry(k0, k1, first.to(tl.uint32), second.to(tl.uint32))
    tl.store(out + at, a.to(tl.int64))
    tl.store(out + COUNT + at, b.to(tl.int64))


@triton.jit
def pairs(seed, out, CHAINS: tl.constexpr, PLACES: tl.constexpr):
    chain, place = tl.arange(0, CHAINS)[:, None], tl.arange(0, PLACES)[None, :]
    one, two = normals(tl.load(seed), chain, place)
    at = out + 2 * PLACES * chain + place
    tl.store(at, one)
    tl.store(at + PLACES, two)
