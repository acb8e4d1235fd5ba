"""Quadrature against closed forms, in one to three dimensions."""

import math

import pytest
import torch
from partition_support import ellipse_at
from problems import COVARIANCE_3, PLANE, f64

from ebmlab.energies import Gaussian, Uniform
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.partition import gauss_legendre, quadrature, trapezoid

RULES = pytest.mark.parametrize("rule", [gauss_legendre, trapezoid])
ROUNDING = 1e-11


def box(reach, d=2, center=0.0):
    middle = torch.as_tensor(center, dtype=torch.float64).expand(d)
    return middle - reach, middle + reach


def within(estimate, exact):
    assert estimate.bound == "exact"
    return abs(float(estimate.log_z) - exact) <= float(estimate.standard_error) + ROUNDING


@RULES
@pytest.mark.parametrize("name", ["gaussian", "mixture", "double well", "ring", "banana"])
def test_densities_of_the_plane_are_integrated_within_the_error(name, rule):
    problem = PLANE[name]
    corners = box(2 * problem.reach, center=problem.center)
    estimate = quadrature(problem.density.given(), *corners, resolution=300, rule=rule)
    assert within(estimate, float(problem.density.log_z))
    assert float(estimate.standard_error) < 0.01
    assert not within(estimate, float(problem.wrong.log_z) + 0.1)


@RULES
@pytest.mark.parametrize("beta", [0.3, 1.0, 10.0])
def test_the_ellipse_has_the_same_log_z_at_any_weights(beta, rule):
    u, log_z = ellipse_at(beta)
    estimate = quadrature(u, *box(3 + 7 / (2 * beta) ** 0.5), rule=rule, chunk=5000)
    assert abs(float(estimate.log_z) - log_z) < 1e-7
    assert within(estimate, log_z)


@RULES
def test_three_dimensions_and_one(rule):
    gaussian = Gaussian(f64([0.3, -0.2, 0.1]), COVARIANCE_3)
    estimate = quadrature(gaussian.given(), *box(10.0, 3), resolution=54, rule=rule)
    assert within(estimate, float(gaussian.log_z))
    assert abs(float(estimate.log_z - gaussian.log_z)) < 1e-4
    line = quadrature(lambda y: y.abs().sum(-1), *box(30.0, 1), resolution=400, rule=rule)
    assert within(line, math.log(2))


def test_the_error_is_above_the_true_one_and_falls():
    density = PLANE["mixture"].density
    errors = []
    for resolution in (20, 40, 80, 160):
        estimate = quadrature(density.given(), *box(7.0), resolution=resolution)
        assert within(estimate, float(density.log_z))
        errors.append(float(estimate.standard_error))
    assert errors[0] > 1e-3
    assert errors[-1] < 1e-9


def test_what_lies_outside_the_box_is_missed():
    density = PLANE["gaussian"].density
    assert not within(quadrature(density.given(), *box(1.5)), float(density.log_z))


def test_an_energy_that_does_not_fade_needs_the_right_rule():
    lo, hi = f64([0.0]), f64([2.0])
    exact = math.log(1 - math.exp(-2.0))

    def slope(y):
        return y.sum(-1)

    smooth = quadrature(slope, lo, hi, resolution=16)
    rough = quadrature(slope, lo, hi, resolution=16, rule=trapezoid)
    assert abs(float(smooth.log_z) - exact) < 1e-14
    assert within(rough, exact)
    assert abs(float(rough.log_z) - exact) > 1e-4


def test_a_box_has_its_volume():
    flat = Uniform(f64([-1.0, 0.0]), f64([1.0, 3.0]))
    estimate = quadrature(flat.given(), flat.low, flat.high)
    assert float(estimate.log_z) == pytest.approx(math.log(6))


def test_chunks_change_nothing():
    u = PLANE["ring"].density.given()
    one = quadrature(u, *box(4.0), resolution=50)
    other = quadrature(u, *box(4.0), resolution=50, chunk=101)
    torch.testing.assert_close(one.log_z, other.log_z)


def test_rules_are_exact_for_their_polynomials():
    nodes, weights = gauss_legendre(4)
    for power in range(8):
        assert float(weights @ nodes**power) == pytest.approx(1 / (power + 1), rel=1e-13)
    assert abs(float(weights @ nodes**8) - 1 / 9) > 1e-5
    nodes, weights = trapezoid(5)
    assert float(weights @ nodes) == pytest.approx(0.5)
    assert float(weights.sum()) == pytest.approx(1)


def test_single_precision_corners_give_single_precision_points():
    seen = []

    def u(y):
        seen.append(y.dtype)
        return y.square().sum(-1)

    estimate = quadrature(u, -6 * torch.ones(1), 6 * torch.ones(1))
    assert set(seen) == {torch.float32}
    assert float(estimate.log_z) == pytest.approx(0.5 * math.log(math.pi), abs=1e-5)


def test_what_cannot_be_integrated_is_refused():
    def u(y):
        return y.square().sum(-1)

    with pytest.raises(ShapeError, match="use ais"):
        quadrature(u, *box(1.0, 4))
    with pytest.raises(ShapeError, match=r"\(1,\)"):
        quadrature(u, f64([0.0, 0.0]), f64([1.0]))
    with pytest.raises(ConfigurationError, match="lo below hi"):
        quadrature(u, f64([1.0]), f64([0.0]))
    with pytest.raises(ConfigurationError, match="resolution is 3"):
        quadrature(u, f64([0.0]), f64([1.0]), resolution=3)
    with pytest.raises(ConfigurationError, match="chunk is 0"):
        quadrature(u, f64([0.0]), f64([1.0]), chunk=0)
    for wrong in (math.nan, -math.inf, math.inf):
        with pytest.raises(NonFiniteError, match="integral"):
            quadrature(lambda y, e=wrong: y[:, 0] * 0 + e, f64([0.0]), f64([1.0]))
