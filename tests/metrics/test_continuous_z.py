"""Angles, regressions, straightness: closed forms, and other libraries' answers."""

import math

import pytest
import torch
from problems import f64, generator, randn
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics import circular_correlation, r_squared, straightness

A = 0.8 * randn(300) + 2.0


def points(a):
    return torch.stack([a.cos(), a.sin()], -1)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_angle_is_itself_up_to_offset_and_turning(sign):
    for a in (A, 2 * math.pi * torch.rand(300, generator=generator(), dtype=A.dtype)):
        found = circular_correlation(a, sign * (a - 0.7))
        assert found.correlation == pytest.approx(sign)
        assert found.match == pytest.approx(1)
        assert found.reflected == (sign < 0)
        assert found.offset == pytest.approx(0.7)
        # Lengths do not count, nor do whole turns.
        same = circular_correlation(3 * points(a), sign * (a - 0.7) + 2 * math.pi)
        assert same[:2] == pytest.approx(found[:2])


def test_the_coefficient_is_its_formula_and_noise_lowers_the_match_as_it_must():
    b = A + 0.6 * randn(300, seed=1)
    found = circular_correlation(A, b)
    mean = [torch.atan2(t.sin().mean(), t.cos().mean()) for t in (A, b)]
    one, two = (A - mean[0]).sin(), (b - mean[1]).sin()
    exact = (one * two).sum() / ((one**2).sum() * (two**2).sum()) ** 0.5
    assert found.correlation == pytest.approx(float(exact))
    # E cos N(0, s²) = exp(-s² / 2); the standard error of 300 is below 0.015.
    assert found.match == pytest.approx(math.exp(-0.18), abs=0.07)
    blind = circular_correlation(A, 9 * randn(300, seed=2))
    assert abs(blind.correlation) < 0.3  # five standard errors, 1 / √300
    assert blind.match < 0.3


def test_regressions_are_those_of_scikit_learn():
    h, t = randn(80, 4) * f64([1.0, 3.0, 0.1, 1.0]) + 1, randn(80, 2, seed=1)
    t = t + h[:, :2]
    train, test = slice(0, 60), slice(60, 80)
    mean, std = h[train].mean(0), h[train].std(0, correction=0)
    z = (h - mean) / std
    for k, judge in ((None, Ridge(2.0)), (3, KNeighborsRegressor(3))):
        scale = z if k is None else h
        judge.fit(scale[train].numpy(), t[train].numpy())
        guess = torch.from_numpy(judge.predict(scale[test].numpy()))
        exact = 1 - (guess - t[test]).square().sum() / (t[test] - t[test].mean(0)).square().sum()
        got = r_squared(h[train], t[train], h[test], t[test], k, penalty=2.0)
        assert got == pytest.approx(float(exact))
    with pytest.raises(ConfigurationError, match="k is 81"):
        r_squared(h, t, h, t, 81)
    with pytest.raises(ConfigurationError, match="all equal"):
        r_squared(h, t, h, 0 * t)
    with pytest.raises(ShapeError, match="targets has 79 rows"):
        r_squared(h, t[:79], h, t)


def test_straightness_of_lines_corners_circles_and_chance():
    line = torch.linspace(0, 1, 9, dtype=A.dtype)[:, None] ** 2 * f64([1.0, 2.0])
    assert straightness(line[None]) == pytest.approx((1, 0), abs=1e-7)
    there_and_back = f64([[0.0], [1.0], [0.0], [1.0]])
    assert straightness(there_and_back[None]) == pytest.approx((-1, math.pi))
    turn = points(0.3 * torch.arange(20, dtype=A.dtype))
    both = torch.stack([turn, -turn.flip(0)])
    assert straightness(both) == pytest.approx((math.cos(0.3), 0.3))
    # Independent codes: cosine -1/2; 4000 pairs of steps in 50 dimensions, error below 0.002.
    assert straightness(randn(400, 12, 50)).cosine == pytest.approx(-0.5, abs=0.02)
    assert straightness(randn(400, 12, 50).cumsum(1)).cosine == pytest.approx(0, abs=0.02)


def test_steps_that_go_nowhere_are_left_out():
    stop = f64([[0.0], [1.0], [2.0], [2.0], [3.0], [4.0]])
    assert straightness(stop[None]).cosine == pytest.approx(1)
    with pytest.raises(ConfigurationError, match="do not move"):
        straightness(torch.ones(2, 5, 3))
    with pytest.raises(ShapeError, match="t >= 3"):
        straightness(torch.ones(2, 2, 3))


def test_angles_that_are_none_are_refused():
    with pytest.raises(ShapeError, match="a has shape"):
        circular_correlation(randn(4, 3), randn(4))
    with pytest.raises(ShapeError, match="one for each"):
        circular_correlation(randn(4), randn(5))
    with pytest.raises(NonFiniteError, match="b"):
        circular_correlation(randn(4), randn(4) / 0)
