import math

import pytest
import torch
from problems import F64, f64, fits, generator
from scipy import stats

from ebmlab import FunctionEnergy
from ebmlab.energies import Gaussian, SquaredDistance
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.prediction import low_energy_volume


def ball(y):
    return y.square().sum(-1)


def cube(d: int, half: float = 1.2):
    corner = torch.full((d,), half, dtype=F64)
    return -corner, corner


def volume_of_ball(d: int) -> float:
    return math.pi ** (d / 2) / math.gamma(d / 2 + 1)


@pytest.mark.parametrize(("d", "within"), [(1, 1e-3), (2, 1e-3), (3, 2e-2)])
def test_a_grid_measures_balls_within_its_error(d, within):
    found = low_energy_volume(ball, 1.0, *cube(d))
    assert abs(float(found.volume) / volume_of_ball(d) - 1) < within
    assert abs(float(found.volume) - volume_of_ball(d)) < 3 * float(found.standard_error)


def test_a_grid_measures_an_ellipse_and_not_the_disk_of_its_longer_axis():
    gauss = Gaussian(torch.zeros(2, dtype=F64), f64([[4.0, 0.0], [0.0, 0.25]])).given()
    low, high = cube(2, 4.0)
    found = low_energy_volume(gauss, float(gauss(torch.zeros(1, 2, dtype=F64))) + 0.5, low, high)
    assert float(found.volume) == pytest.approx(math.pi * 2 * 0.5, rel=2e-2)
    assert abs(float(found.volume) - math.pi) < 3 * float(found.standard_error)
    assert abs(float(found.volume) - 4 * math.pi) > 100 * float(found.standard_error)


def test_a_collapsed_energy_has_the_whole_box():
    flat = FunctionEnergy(lambda y: 0.1 + 0 * y.sum(-1), ("y",)).given()
    low, high = f64([-1.0, 0.0]), f64([2.0, 5.0])
    for rng in (None, generator()):
        found = low_energy_volume(flat, 0.1, low, high, rng=rng)
        assert float(found.volume) == pytest.approx(15)
        assert float(found.standard_error) == 0
        assert float(low_energy_volume(flat, 0.0, low, high, rng=rng).volume) == 0


def test_random_points_have_the_error_that_they_state():
    rng = generator()
    low, high = cube(5, 1.0)
    each = [low_energy_volume(ball, 1.0, low, high, points=2000, rng=rng) for _ in range(300)]
    z = torch.stack([(v - volume_of_ball(5)) / e for v, e in each])
    assert fits(z, stats.norm.cdf)
    assert not fits(z + 1, stats.norm.cdf)


def test_images_are_measured_as_vectors_are():
    u = SquaredDistance(3).given(torch.zeros(1, 1, 2, 2, dtype=F64))
    corner = torch.ones(1, 2, 2, dtype=F64)
    found = low_energy_volume(u, 1.0, -corner, corner, rng=generator())
    # 4.9 standard errors: a rate of 1e-6.
    assert abs(float(found.volume) - volume_of_ball(4)) < 4.9 * float(found.standard_error)


def test_nothing_is_measured_where_there_is_no_number_or_no_box():
    low, high = cube(2)
    with pytest.raises(NonFiniteError, match="NaN at y"):
        low_energy_volume(lambda y: y.sum(-1).sqrt(), 1.0, low, high)
    with pytest.raises(ShapeError, match="both have that of one y"):
        low_energy_volume(ball, 1.0, low, high[:1])
    with pytest.raises(ShapeError, match="pass rng"):
        low_energy_volume(ball, 1.0, *cube(4))
    with pytest.raises(ConfigurationError, match="lo below hi"):
        low_energy_volume(ball, 1.0, high, low)
    with pytest.raises(ConfigurationError, match="points is 3"):
        low_energy_volume(ball, 1.0, low, high, points=3)
    coupled = FunctionEnergy(lambda y: ball(y) - ball(y).mean(), ("y",))
    coupled.couples = True
    with pytest.raises(ConfigurationError, match="couples"):
        low_energy_volume(coupled.given(), 1.0, low, high)


@pytest.mark.parametrize("d", [2, 3])
def test_a_low_energy_set_that_touches_its_box_is_measured_at_the_centers_of_cells(d):
    # The box holds an orthant of the ball: cells along its faces count whole. Corners of cells for
    # centers move the ball by half a cell along each axis, and this much volume in or out.
    low, high = torch.zeros(d, dtype=F64), torch.full((d,), 1.2, dtype=F64)
    half = 0.6 / round(4096 ** (1 / d))
    moved = d * half * volume_of_ball(d - 1) / 2 ** (d - 1)
    found, corners, others = (
        float(low_energy_volume(lambda y, by=by: ball(y + by), 1.0, low, high, points=4096).volume)
        - volume_of_ball(d) / 2**d
        for by in (0.0, -half, half)
    )
    assert abs(found) < 0.2 * moved
    assert corners > 0.5 * moved
    assert others < -0.5 * moved
