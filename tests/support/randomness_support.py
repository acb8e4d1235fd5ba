"""Judges of random words and of normal numbers: how surprising a sequence is, as p-values.

All are uniform in [0, 1] for a perfect generator. Sequences run along one of four things that a
counter-based generator counts, which is where a weak one shows.
"""

import numpy as np
from scipy import stats

from ebmlab.kernels.arrays import NUMPY
from ebmlab.kernels.threefry import PLACES, threefry

ORDERS = ("places", "chains", "streams", "seeds")
# While the count that leads runs through 256, two others run through so many, and a third on.
OTHERS = 8


def words(order: str, blocks: int, seed: int = 0) -> np.ndarray:
    """Words (2 blocks,) in an order: the named count runs fastest, from 0; seeds are from `seed`.

    Along places the two words of a block follow one another, else all first words come first.
    """
    rest = [name for name in ORDERS if name != order]
    room = blocks // 256 // OTHERS**2, OTHERS, OTHERS
    others = np.unravel_index(np.arange(blocks) // 256, room)
    count = {order: np.arange(blocks) % 256, **dict(zip(rest, others, strict=True))}
    at = {name: numbers.astype(np.uint32) for name, numbers in count.items()}
    key = at["seeds"] + np.uint32(seed), np.zeros(1, np.uint32)
    counter = at["chains"], at["places"] + at["streams"] * np.uint32(PLACES)
    pair = np.stack(threefry(NUMPY, key, counter), axis=-1).view(np.uint32)
    return (pair if order == "places" else pair.T).flatten()


def two_sided(z: float) -> float:
    return float(2 * stats.norm.sf(abs(z)))


def chi_square(counts: np.ndarray, odds: np.ndarray) -> float:
    """Of counts (bins,) or (tables, bins) whose bins have these odds."""
    tables = counts.reshape(-1, counts.shape[-1])
    due = tables.sum(1, keepdims=True) * odds
    freedom = len(tables) * (tables.shape[1] - 1)
    return float(stats.chi2.sf(((tables - due) ** 2 / due).sum(), freedom))


def even(counts: np.ndarray) -> float:
    return chi_square(counts, np.full(counts.shape[-1], 1 / counts.shape[-1]))


def bits(w: np.ndarray) -> float:
    """Each of 32 bits is set in half of the words."""
    ones = np.array([((w >> b) & 1).sum(dtype=np.int64) for b in range(32)])
    return even(np.stack([ones, len(w) - ones], axis=1))


def changes(w: np.ndarray) -> float:
    """Each bit differs in half of the neighbors: as many runs as there should be."""
    return bits(w[1:] ^ w[:-1])


def octets(w: np.ndarray) -> float:
    """Bytes are uniform, each of the four by itself."""
    return even(np.stack([np.bincount((w >> s) & 255, minlength=256) for s in (0, 8, 16, 24)]))


def neighbors(w: np.ndarray) -> float:
    """Six upper, middle and lower bits of neighbors, as 4096 cells each."""
    one, other = w[: len(w) // 2 * 2].reshape(-1, 2).T
    cells = [((one >> s) & 63) * 64 + ((other >> s) & 63) for s in (0, 13, 26)]
    return even(np.stack([np.bincount(cell, minlength=4096) for cell in cells]))


WEIGHTS_16 = np.array([k.bit_count() for k in range(2**16)], np.uint8)
LIGHTEST, HEAVIEST = 11, 21


def weights(w: np.ndarray) -> float:
    """How many bits are set in neighbors, jointly: heavy words do not follow heavy words."""
    weight = WEIGHTS_16[w & 0xFFFF] + WEIGHTS_16[w >> 16]
    kind = np.clip(weight, LIGHTEST, HEAVIEST).astype(np.int64) - LIGHTEST
    kinds = HEAVIEST - LIGHTEST + 1
    odds = np.diff(stats.binom.cdf(np.arange(LIGHTEST, HEAVIEST), 32, 0.5), prepend=0, append=1)
    one, other = kind[: len(w) // 2 * 2].reshape(-1, 2).T
    return chi_square(
        np.bincount(one * kinds + other, minlength=kinds**2), np.outer(odds, odds).ravel()
    )


def gaps(w: np.ndarray) -> float:
    """Words whose four upper bits are 0 are as far apart as they should be: geometrically."""
    apart = np.diff(np.flatnonzero(w >> 28 == 0)) - 1
    longest = 60
    odds = (15 / 16) ** np.arange(longest + 1) / 16
    odds[-1] = 1 - odds[:-1].sum()
    return chi_square(np.bincount(np.minimum(apart, longest), minlength=longest + 1), odds)


def ranks(w: np.ndarray) -> float:
    """The ranks over GF(2) of matrices (32, 32) of bits, 32768 at most."""
    rows = w[: min(len(w) // 32, 2**15) * 32].reshape(-1, 32).copy()
    rank = np.zeros(len(rows), np.int64)
    every = np.arange(len(rows))
    for b in range(32):
        has = (rows >> b & 1).astype(bool)
        found, pivot = has.any(1), has.argmax(1)
        row = np.where(found, rows[every, pivot], 0).astype(np.uint32)
        rows ^= np.where(has, row[:, None], 0).astype(np.uint32)  # clears the pivot as well
        rank += found
    # Of full rank Π (1 - 2⁻ᵏ), k = 1 ... 32; of rank 31 that times (2 - 2⁻³¹)² / 2 / (1 - 1/2)².
    full = np.prod(1 - 0.5 ** np.arange(1, 33))
    less = full * 2 * (1 - 0.5**32) ** 2
    counts = np.bincount(np.clip(32 - rank, 0, 2), minlength=3)
    return chi_square(counts, np.array([full, less, 1 - full - less]))


def spacings(w: np.ndarray) -> float:
    """Marsaglia's birthdays: m in a year of m³ / 64 days have Poisson(16) spacings twice."""
    m = 2 ** (len(w).bit_length() - 2)
    pair = w[: 2 * m].reshape(m, 2).astype(np.uint64)
    days = (pair[:, 0] << np.uint64(32) | pair[:, 1]) >> np.uint64(
        64 - 3 * (m.bit_length() - 1) + 6
    )
    apart = np.sort(np.diff(np.sort(days)))
    equal = int((apart[1:] == apart[:-1]).sum())
    law = stats.poisson(16)
    return min(1.0, 2 * float(min(law.cdf(equal), law.sf(equal - 1))))


OF_WORDS = (bits, changes, octets, neighbors, weights, gaps, ranks, spacings)


def moments(z: np.ndarray) -> list[float]:
    """Of four powers of unit normals; the variance of zᵏ is that of the normal law."""
    powers = ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96))
    z = z.astype(np.float64)
    return [two_sided(((z**k).mean() - mean) / (var / len(z)) ** 0.5) for k, mean, var in powers]


def normal_law(z: np.ndarray) -> list[float]:
    """Kolmogorov and Smirnov's test."""
    return [float(stats.kstest(z.astype(np.float64), stats.norm.cdf, method="asymp").pvalue)]


def correlations(z: np.ndarray) -> list[float]:
    """Of neighbors, of their squares and of one with the other's, up to four apart."""
    z = z.astype(np.float64)
    square = (z**2 - 1) / 2**0.5
    found = []
    for lag in (1, 2, 3, 4):
        for one, other in ((z, z), (square, square), (z, square)):
            product = one[lag:] * other[:-lag]
            found.append(two_sided(product.sum() / len(product) ** 0.5))
    return found
