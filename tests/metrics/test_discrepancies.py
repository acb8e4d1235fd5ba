"""KSD and MMD against double loops, closed forms, and samples of the right and of a wrong law."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from problems import PLANE, RATE, f64, generator, has_mean, randn
from scipy import stats

from ebmlab.energies import DoubleWell, Gaussian, GaussianMixture
from ebmlab.errors import (
    ConfigurationError,
    DeviceError,
    GradientError,
    NonFiniteError,
    ShapeError,
)
from ebmlab.metrics import ksd, mmd, mmd_test


def quartic(y):
    flat = y.flatten(1)
    return (flat**4).sum(1) / 4 + flat.prod(1).sin()


def stein(x, y, u, scale):
    """h(x, y) as the trace of derivatives of the kernel, by autograd."""

    def kernel(a, b):
        return (scale**2 + (a - b).square().sum()) ** -0.5

    mixed = torch.func.jacrev(torch.func.grad(kernel, 0), 1)(x, y)
    sx, sy = (-torch.func.grad(lambda a: u(a[None]).sum())(a) for a in (x, y))
    drift = sy @ torch.func.grad(kernel, 0)(x, y) + sx @ torch.func.grad(kernel, 1)(x, y)
    return mixed.trace() + drift + kernel(x, y) * (sx @ sy)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("u", [quartic, DoubleWell(2.0).given()], ids=["quartic", "double well"])
def test_ksd_is_the_double_loop_of_derivatives_of_its_kernel(u, scale):
    y = 2 + randn(5, 2)
    due = sum(stein(a, b, u, scale) for a, b in permutations(y, 2)) / 20
    for chunk in (1, 3, 5, 100):
        found = ksd(y, u, scale=scale, chunk=chunk)
        torch.testing.assert_close(found, due, rtol=1e-10, atol=1e-12)


def test_ksd_takes_any_event_and_the_dtype_of_its_potential():
    y = randn(6, 2, 3)
    flat = ksd(y.flatten(1), quartic)
    torch.testing.assert_close(ksd(y, quartic), flat, rtol=1e-12, atol=0)
    seen = []

    def watched(y):
        seen.append(y.dtype)
        return quartic(y)

    single = ksd(y.float(), watched)
    assert set(seen) == {torch.float32}
    assert (single.dtype, single.shape) == (torch.float64, ())
    torch.testing.assert_close(single, flat, rtol=1e-4, atol=1e-4)


def unbiased(values):
    """Whether independent values (n,) may have mean 0: Student's test at RATE."""
    return stats.ttest_1samp(values.numpy(), 0.0).pvalue > RATE


# 200 values of a statistic of 60 draws each; their mean is Gaussian for all that a value is not.
@pytest.mark.parametrize("name", ["gaussian", "mixture", "banana"])
def test_ksd_has_mean_zero_under_its_law_and_not_beside_it(name):
    problem = PLANE[name]
    u = problem.density.given()
    draws = problem.density.sample(200 * 60, generator()).double().reshape(200, 60, 2)
    assert unbiased(torch.stack([ksd(y, u) for y in draws]))
    shifted = torch.stack([ksd(y + 0.5, u) for y in draws])
    assert not unbiased(shifted)
    assert shifted.mean() > 0


def test_ksd_with_the_diagonal_or_the_wrong_sign_would_be_noticed():
    u = Gaussian(f64([0.0, 0.0]), torch.eye(2, dtype=torch.float64)).given()
    draws = randn(200, 60, 2)
    right = torch.stack([ksd(y, u) for y in draws])
    assert unbiased(right)
    # h(y, y) = |s|² / c + d / c³.
    diagonal = (draws.square().sum(-1) + 2).mean(1)
    assert not unbiased((59 * right + diagonal) / 60)
    assert not unbiased(torch.stack([ksd(y, lambda y: -0.5 * y.square().sum(1)) for y in draws]))


def test_ksd_sees_a_shift_and_hardly_a_lost_mode():
    means = f64([[-1.5, 0.0], [1.5, 0.0]])
    u = GaussianMixture(means, 0.7).given()
    right = GaussianMixture(means, 0.7).sample(1000, generator()).double()
    lost = means[0] + 0.7 * randn(1000, 2)
    values = [float(ksd(y, u)) for y in (right, lost, right + 1)]
    assert max(map(abs, values[:2])) < 0.05 < 1 < values[2]


def loop(x, y, widths):
    def k(a, b):
        return np.mean([math.exp(-float((a - b).square().sum()) / (2 * w**2)) for w in widths])

    inside = [np.mean([k(a, b) for a, b in permutations(t, 2)]) for t in (x, y)]
    return sum(inside) - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize("widths", [[0.7], [0.3, 1.0, 4.0]])
def test_mmd_is_its_double_loop(widths):
    x, y = 5 + randn(6, 3), 5.5 + randn(9, 3, seed=1)
    due = loop(x, y, widths)
    for chunk in (1, 4, 6, 100):
        assert float(mmd(x, y, bandwidth=widths, chunk=chunk)) == pytest.approx(due, rel=1e-10)
    assert float(mmd(y, x, bandwidth=widths)) == pytest.approx(due, rel=1e-10)
    images = mmd(x.reshape(6, 1, 3), y.reshape(9, 1, 3), bandwidth=widths)
    assert float(images) == pytest.approx(due, rel=1e-10)
    if len(widths) == 1:
        assert float(mmd(x, y, bandwidth=widths[0])) == pytest.approx(due, rel=1e-10)


def test_the_bandwidth_is_the_median_distance_of_all_points():
    x, y = randn(8, 2), 1 + randn(7, 2, seed=1)
    between = [float((a - b).norm()) for a, b in combinations(torch.cat([x, y]), 2)]
    assert len(between) % 2
    assert float(mmd(x, y)) == pytest.approx(loop(x, y, [np.median(between)]), rel=1e-10)
    far = mmd(100 * x, 100 * y)
    torch.testing.assert_close(far, mmd(x, y), rtol=1e-10, atol=0)


def test_mmd_of_gaussians_is_their_closed_form():
    shift, width, d = 0.6, 1.3, 2
    wide = width**2 + 2
    fall = math.exp(-d * shift**2 / (2 * wide))
    due = 2 * (width**2 / wide) ** (d / 2) * (1 - fall)
    values = torch.stack(
        [
            mmd(randn(40, d, seed=s), shift + randn(50, d, seed=-s), bandwidth=width)
            for s in range(1, 301)
        ]
    )
    assert has_mean(values, due, float(values.std()))
    # What keeps i = j in its means is larger by (1 - E k)(1/40 + 1/50).
    same = (width**2 / wide) ** (d / 2)
    assert not has_mean(values + (1 - same) * (1 / 40 + 1 / 50), due, float(values.std()))


def test_mmd_has_mean_zero_between_samples_of_one_law():
    draws = randn(300, 2, 30, 3)
    assert unbiased(torch.stack([mmd(x, y, bandwidth=1.5) for x, y in draws]))
    assert not unbiased(torch.stack([mmd(x, 1.3 * y, bandwidth=1.5) for x, y in draws]))


def test_p_values_hold_their_level_and_see_a_difference():
    rng = generator()
    draws = randn(200, 2, 15, 2)
    p = torch.stack([mmd_test(x, y, rng=rng, permutations=99).p_value for x, y in draws])
    for level in (0.05, 0.2, 0.5):
        low = int((p <= level).sum())
        assert stats.binom.sf(low - 1, 200, level) > RATE
        assert stats.binom.cdf(low, 200, level) > RATE
    shifted = torch.stack(
        [mmd_test(x, y + 1, rng=rng, permutations=99).p_value for x, y in draws[:40]]
    )
    assert stats.binom.sf(int((shifted <= 0.05).sum()) - 1, 40, 0.05) < RATE


def test_a_permutation_is_the_statistic_of_permuted_points():
    x, y = randn(5, 2), 1 + randn(4, 2, seed=1)
    found = mmd_test(x, y, rng=generator(3), permutations=50, bandwidth=1.0, chunk=2)
    order = torch.rand(9, 50, generator=generator(3)).argsort(0)
    pooled, values = torch.cat([x, y]), []
    for k in range(50):
        first = order[:, k] < 5
        values.append(float(mmd(pooled[first], pooled[~first], bandwidth=1.0)))
    assert float(found.statistic) == pytest.approx(float(mmd(x, y, bandwidth=1.0)), rel=1e-12)
    reached = sum(value >= float(found.statistic) - 1e-12 for value in values)
    assert float(found.p_value) == pytest.approx((1 + reached) / 51)
    assert 0 < reached < 50


def test_faults_are_typed():
    y, rng = randn(10, 2), generator()
    bad = y.clone()
    bad[3, 1] = math.nan
    with pytest.raises(NonFiniteError, match="row 3"):
        ksd(bad, quartic)
    with pytest.raises(NonFiniteError, match="first row 0"):
        ksd(-y.abs(), lambda y: y.sqrt().sum(1))
    with pytest.raises(GradientError):
        ksd(y, lambda y: y.detach().sum(1))
    for few in (y[:1], y[:, :0], f64(1.0)):
        with pytest.raises(ShapeError, match="n >= 2"):
            ksd(few, quartic)
    for make in (
        lambda: ksd(y, quartic, scale=0.0),
        lambda: ksd(y, quartic, chunk=0),
        lambda: mmd(y, y, chunk=0),
        lambda: mmd(y, y, bandwidth=-1.0),
        lambda: mmd(y, y, bandwidth=[]),
        lambda: mmd(torch.ones(4, 2), torch.ones(4, 2)),
        lambda: mmd_test(y, y, rng=rng, permutations=0),
        lambda: mmd_test(y, y, rng=None),
    ):
        with pytest.raises(ConfigurationError):
            make()
    for x in (y[:1], y[:, :1], y[:0]):
        with pytest.raises(ShapeError, match=r"\(n, \*event\)"):
            mmd(x, y)
    with pytest.raises(NonFiniteError, match="y "):
        mmd(y, bad)
    with pytest.raises(DeviceError, match="meta"):
        mmd(y, y.to("meta"))


def test_inputs_and_gradients_are_left_alone():
    y = randn(10, 2).requires_grad_()
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    before = y.detach().clone()
    value = ksd(y, lambda y: (weight * y.square()).sum(1))
    assert not any(
        t.requires_grad for t in (value, mmd(y, y + 1), *mmd_test(y, y, rng=generator()))
    )
    assert y.grad is None
    assert weight.grad is None
    assert torch.equal(y, before)
