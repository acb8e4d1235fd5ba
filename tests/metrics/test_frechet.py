"""The Fréchet distance against closed forms of Gaussians, and a matrix square root by scipy."""

import math

import pytest
import torch
from problems import f64, generator, randn
from scipy import linalg

from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.metrics import frechet_distance


def by_square_root(a, b):
    """As its papers write it: the root of a product of covariances, which is not symmetric."""
    gap, (first, second) = a.mean(0) - b.mean(0), [t.mT.cov() for t in (a, b)]
    root = f64(linalg.sqrtm((first @ second).numpy()).real)
    return float(gap.square().sum() + (first + second - 2 * root).trace())


def exact(mean, factor, n):
    """n points with just this mean and covariance F Fᵀ."""
    points = randn(n, len(mean))
    points = points - points.mean(0)
    white = points @ torch.linalg.inv(torch.linalg.cholesky(points.mT.cov())).mT
    return white @ factor.mT + mean


def test_it_is_that_of_a_matrix_square_root():
    a, b = randn(40, 5) @ randn(5, 5), randn(60, 5) @ randn(5, 5).flip(0) + 1
    due = by_square_root(a, b)
    assert float(frechet_distance(a, b)) == pytest.approx(due, rel=1e-9)
    assert float(frechet_distance(b, a)) == pytest.approx(due, rel=1e-9)


def test_of_gaussians_that_share_their_axes_it_is_in_closed_form():
    first, second = f64([3.0, 1.0, 0.5]), f64([1.0, 1.0, 2.0])
    turn = torch.linalg.qr(randn(3, 3)).Q
    a = exact(f64([1.0, 0.0, 2.0]), turn * first, 50)
    b = exact(f64([0.0, 0.0, 0.0]), turn * second, 70)
    assert float(frechet_distance(a, b)) == pytest.approx(5 + 4 + 0 + 2.25, rel=1e-9)


def test_flat_and_few_features_are_no_trouble():
    a = torch.cat([randn(30, 2), torch.zeros(30, 2, dtype=torch.float64)], 1)
    assert float(frechet_distance(a, a)) == pytest.approx(0, abs=1e-12)
    assert float(frechet_distance(a.float(), a.float() + 1)) == pytest.approx(4, rel=1e-6)
    few = randn(2, 6)
    assert float(frechet_distance(few, few + 1)) == pytest.approx(6, rel=1e-9)


def test_few_points_of_one_law_are_apart_by_as_much_as_is_said():
    d, n, m = 16, 2000, 1000
    a, b = torch.randn(n + m, d, dtype=torch.float64, generator=generator()).split([n, m])
    said = d * (d + 5) / 4 * (1 / n + 1 / m)
    # A sum of d (d + 3) / 2 squares has a relative deviation of √(2/152) = 0.11; four of them.
    assert float(frechet_distance(a, b)) == pytest.approx(said, rel=0.45)


def test_it_refuses_what_does_not_fit():
    with pytest.raises(ShapeError, match="differ in their features"):
        frechet_distance(torch.zeros(4, 2), torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"b has shape \(1, 2\)"):
        frechet_distance(torch.zeros(4, 2), torch.zeros(1, 2))
    with pytest.raises(NonFiniteError, match="a"):
        frechet_distance(torch.full((4, 2), math.nan), torch.zeros(4, 2))
