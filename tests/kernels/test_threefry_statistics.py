"""Whether Threefry's numbers look random, along whatever its counter counts.

Each test alarms falsely once in a million seeds (its seeds are fixed), the nine that look at
numbers once in a hundred thousand; each judge is shown a generator that it must refuse.
"""

import math

import numpy as np
import pytest
import randomness_support as judges
import torch
from problems import RATE
from randomness_support import OF_WORDS, ORDERS, even, words
from scipy import special, stats

from ebmlab.kernels import threefry
from ebmlab.kernels.threefry import normals, uniforms

BLOCKS = 2**17
# Too few for any judge, and enough to deceive most.
FEW, SOME, MANY = 4, 8, 9


def surprising(found: list[float], rate: float = RATE) -> bool:
    """Whether the least of some p-values is too small for as many; Bonferroni's."""
    return min(found) * len(found) < rate


@pytest.mark.parametrize("order", ORDERS)
def test_words_look_random_and_those_of_fewer_rounds_do_not(order, monkeypatch):
    found = words(order, BLOCKS)
    assert not surprising([judge(found) for judge in OF_WORDS])
    monkeypatch.setattr(threefry, "ROUNDS", SOME)
    found = words(order, BLOCKS)
    assert surprising([judge(found) for judge in OF_WORDS])
    monkeypatch.setattr(threefry, "ROUNDS", FEW)
    found = words(order, BLOCKS)
    assert all(surprising([judge(found)]) for judge in OF_WORDS)


# 262,144 numbers: seeds, streams, chains, coordinates.
SHAPE = (16, 8, 64, 32)


def numbers(make, dtype=torch.float32) -> np.ndarray:
    seeds, like = torch.arange(SHAPE[0]), torch.empty(SHAPE[2:], dtype=dtype)
    return torch.stack([make(seeds, like, stream) for stream in range(SHAPE[1])], 1).numpy()


def along(axis: int, z: np.ndarray) -> np.ndarray:
    """All numbers, those side by side along the axis one after the other."""
    return np.moveaxis(z, axis, -1).ravel()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normals_are_normal_and_neighbors_independent_along_every_axis(dtype, monkeypatch):
    z = numbers(normals, dtype)
    found = [p for axis in range(4) for p in judges.correlations(along(axis, z))]
    assert not surprising([*judges.moments(z.ravel()), *judges.normal_law(z.ravel()), *found])
    monkeypatch.setattr(threefry, "ROUNDS", FEW)
    z = numbers(normals, dtype)
    assert all(surprising(judges.correlations(along(axis, z))) for axis in range(4))


def test_wrong_normals_are_refused():
    z = numbers(normals).ravel()
    for judge, wrong in [
        (judges.moments, z + 0.02),
        (judges.moments, 1.01 * z),
        (judges.moments, np.sign(z) * np.abs(z) ** 0.98),
        (judges.moments, z.clip(-3, 3)),
        (judges.normal_law, math.sqrt(3) * (2 * special.ndtr(1.5 * z) - 1)),
        # Each half of Box and Muller's used twice.
        (judges.correlations, z.reshape(-1, 4)[:, [0, 1, 0, 1]].ravel()),
        (judges.correlations, np.where(np.arange(len(z)) % 2, np.abs(np.roll(z, 1)), z)),
    ]:
        assert surprising(judge(wrong))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_numbers_are_uniform(dtype, monkeypatch):
    def evidence() -> list[float]:
        u = numbers(uniforms, dtype)
        bins = np.bincount((u.ravel() * 4096).astype(np.int64), minlength=4096)
        return [
            float(stats.kstest(u.ravel(), stats.uniform.cdf, method="asymp").pvalue),
            even(bins),
        ]

    assert not surprising(evidence())
    monkeypatch.setattr(threefry, "ROUNDS", FEW)
    assert surprising(evidence())


def avalanche(bit: int, samples: int) -> list[float]:
    """Key or counter with a bit turned: half of the words' bits turn, each by itself."""
    rng = np.random.default_rng(bit)
    given = rng.integers(0, 2**32, (4, samples), dtype=np.uint32)
    other = given.copy()
    other[bit // 32] ^= np.uint32(1 << bit % 32)
    pairs = [threefry.threefry(judges.NUMPY, (g[0], g[1]), (g[2], g[3])) for g in (given, other)]
    turned = [(a ^ b).view(np.uint32) for a, b in zip(*pairs, strict=True)]
    return [judges.bits(w) for w in turned]


def test_a_turned_bit_of_key_or_counter_turns_half_of_the_bits(monkeypatch):
    def evidence() -> list[float]:
        return [p for bit in range(128) for p in avalanche(bit, 4000)]

    assert not surprising(evidence())
    monkeypatch.setattr(threefry, "ROUNDS", SOME)
    assert surprising(evidence())


# Three parts of 2²³ words along each order, 10⁸ in all.
PARTS, PART = 12, 2**22


def large_evidence(part: int) -> list[float]:
    w = words(ORDERS[part % 4], PART, seed=2**20 * part)
    return [judge(w) for judge in OF_WORDS]


@pytest.mark.slow
def test_a_hundred_million_words_look_random(monkeypatch):
    assert not surprising([p for part in range(PARTS) for p in large_evidence(part)])
    monkeypatch.setattr(threefry, "ROUNDS", MANY)
    assert surprising([p for part in range(4) for p in large_evidence(part)])


ENDS = (3.0, 4.0, 5.0)


class Histogram:
    """Counts of normals in bins of equal odds, and beyond some ends on either side."""

    def __init__(self) -> None:
        self.bins, self.tails = np.zeros(2**12, np.int64), np.zeros((2, len(ENDS)), np.int64)

    def add(self, z: np.ndarray) -> None:
        cells = (special.ndtr(z.astype(np.float64)) * len(self.bins)).astype(np.int64)
        self.bins += np.bincount(cells, minlength=len(self.bins))
        self.tails += [[(side * z > end).sum() for end in ENDS] for side in (1, -1)]

    def evidence(self) -> list[float]:
        law = stats.binom(self.bins.sum(), stats.norm.sf(ENDS))
        beyond = 2 * np.minimum(law.cdf(self.tails), law.sf(self.tails - 1))
        return [even(self.bins), *beyond.ravel().clip(max=1).tolist()]


def histograms(dtype: torch.dtype, millions: int) -> tuple[Histogram, Histogram]:
    """Of our normals, and of those with a twentieth too few beyond 3."""
    ours, thinner = Histogram(), Histogram()
    like = torch.empty(20_000, 5, dtype=dtype)
    for seeds in torch.arange(10 * millions).split(20):
        z = normals(seeds, like).numpy().ravel()
        ours.add(z)
        thinner.add(np.where((np.abs(z) > 3) & (np.arange(len(z)) % 20 == 0), 0.0, z))
    return ours, thinner


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "millions"), [(torch.float32, 100), (torch.float64, 20)])
def test_many_millions_of_normals_are_normal_and_so_are_their_tails(dtype, millions):
    ours, thinner = histograms(dtype, millions)
    assert not surprising(ours.evidence())
    assert surprising(thinner.evidence())
