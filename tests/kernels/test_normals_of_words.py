"""What becomes of the least and the greatest random words."""

import math

import numpy as np
import pytest
from threefry_in_python import single_normals

from ebmlab.kernels.arrays import NUMPY
from ebmlab.kernels.words import REST, SIGN, normal_pair, precise, precise_pair, unit

CORNERS = [0, 1, 2, 2**30 - 1, 2**30, 2**31 - 2, 2**31 - 1]
CORNERS = np.array([*CORNERS, *[k - 2**31 for k in CORNERS]], np.int32)


def corners() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    words = np.concatenate([CORNERS, rng.integers(-(2**31), 2**31, 200).astype(np.int32)])
    first, second = np.meshgrid(words, words)
    return first.ravel(), second.ravel()


def cosine_and_sine(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pair in its order before the second word's upper bit exchanges it."""
    one, other = normal_pair(NUMPY, (first, second))
    return np.where(second < 0, other, one), np.where(second < 0, one, other)


def test_single_normals_are_box_and_muller_s_and_end_at_six_and_two_thirds():
    first, second = corners()
    found = np.stack(normal_pair(NUMPY, (first, second)), 1)
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    due = [single_normals(a % 2**32, b % 2**32) for a, b in pairs]
    np.testing.assert_allclose(found, due, rtol=1e-6, atol=1e-6)
    assert np.abs(found).max() == pytest.approx(math.sqrt(64 * math.log(2)), rel=1e-7)


def test_single_normals_are_symmetric_to_the_last_bit():
    first, second = corners()
    cosine, sine = cosine_and_sine(first, second)
    turned = cosine_and_sine(first ^ np.int32(SIGN), second)
    np.testing.assert_array_equal(turned, (-cosine, sine))
    # The angle's negative; -2³⁰ has none in 31 bits.
    inner = second & np.int32(REST) != 2**30
    negative = (second & np.int32(SIGN)) | (-second & np.int32(REST))
    turned = cosine_and_sine(first[inner], negative[inner])
    np.testing.assert_array_equal(turned, (cosine[inner], -sine[inner]))


def test_double_normals_go_on_to_eight_and_a_half():
    ones, zeros = np.full(1, -1, np.int32), np.zeros(1, np.int32)
    far, middle = precise_pair(NUMPY, (ones, ones), (zeros, zeros))
    assert far[0] == pytest.approx(math.sqrt(2 * 53 * math.log(2)), rel=1e-14)
    assert middle[0] == 0
    assert precise_pair(NUMPY, (zeros, zeros), (ones, ones))[0][0] == 0


def test_uniform_numbers_begin_at_0_and_end_before_1():
    words = np.array([0, -1], np.int32)
    assert unit(NUMPY, words).tolist() == [0, 1 - 2**-24]
    assert precise(NUMPY, (words, words)).tolist() == [0, 1 - 2**-53]
