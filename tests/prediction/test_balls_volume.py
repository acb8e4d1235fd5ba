import math

import pytest
import torch
from problems import F64, f64, fits, generator, randn
from scipy import special, stats

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.prediction import balls_volume, low_energy_volume

ERRORS = 4.9  # standard errors that are allowed: a rate of 1e-6


def log_ball(d: int, radius: float) -> float:
    return 0.5 * d * math.log(math.pi) - math.lgamma(d / 2 + 1) + d * math.log(radius)


def log_pair(d: int, radius: float, distance: float) -> float:
    """Two balls less their lens, which is two caps: an incomplete beta function."""
    cap = 0.5 * special.betainc((d + 1) / 2, 0.5, 1 - (0.5 * distance / radius) ** 2)
    return log_ball(d, radius) + math.log(2 - 2 * cap)


@pytest.mark.parametrize("d", [1, 2, 50, 392])
def test_disjoint_balls_add_and_equal_ones_do_not(d):
    apart = 10.0 * torch.arange(4, dtype=F64)[:, None] * torch.ones(d, dtype=F64)
    for centers, count in ((apart, 4), (0 * apart, 1)):
        found = balls_volume(centers, 1.5, generator())
        assert float(found.log_volume) == pytest.approx(log_ball(d, 1.5) + math.log(count))
        assert float(found.standard_error) < 1e-7


def test_two_balls_that_overlap_have_the_volume_that_caps_give_with_the_stated_error():
    d, radius, distance = 10, 2.0, 1.0
    centers = torch.zeros(2, 200, d, dtype=F64)
    centers[1, :, 3] = distance
    found = balls_volume(centers, radius, generator(), draws=500)
    assert found.log_volume.shape == (200,)
    z = (found.log_volume - log_pair(d, radius, distance)) / found.standard_error
    assert fits(z, stats.norm.cdf)
    assert not fits(
        (found.log_volume - log_ball(d, radius) - math.log(2)) / found.standard_error,
        stats.norm.cdf,
    )


def test_the_union_is_right_in_expectation_from_two_draws_a_ball():
    d, radius, distance = 3, 1.0, 1.2
    centers = torch.zeros(2, 20_000, d, dtype=F64)
    centers[1, :, 0] = distance
    ratio = (
        balls_volume(centers, radius, generator(), draws=2).log_volume
        - log_pair(d, radius, distance)
    ).exp()
    assert abs(float(ratio.mean()) - 1) < ERRORS * float(ratio.std()) / math.sqrt(len(ratio))


def test_in_the_plane_it_is_what_a_grid_counts():
    centers = randn(6, 2)
    found = balls_volume(centers, 0.8, generator(), draws=4000)
    corner = torch.full((2,), 4.0, dtype=F64)
    grid = low_energy_volume(
        lambda y: torch.cdist(y, centers).amin(1), 0.8, -corner, corner, points=10**6
    )
    volume = float(found.log_volume.exp())
    error = math.hypot(float(grid.standard_error), volume * float(found.standard_error))
    assert abs(volume - float(grid.volume)) < ERRORS * error
    assert abs(6 * math.pi * 0.8**2 - float(grid.volume)) > ERRORS * error


def test_single_precision_of_high_dimension_is_as_good():
    # In 392 dimensions nearly all of a ball lies within 1 % of its edge.
    centers = torch.stack([torch.zeros(392), torch.full((392,), 0.02)])
    found = balls_volume(centers, 3.0, generator(), draws=4000)
    due = log_pair(392, 3.0, 0.02 * math.sqrt(392))
    assert abs(float(found.log_volume) - due) < ERRORS * float(found.standard_error)


def test_what_is_no_union_of_balls_is_refused():
    with pytest.raises(ShapeError, match="k, \\*batch, d"):
        balls_volume(f64([1.0]), 1.0, generator())
    with pytest.raises(ConfigurationError, match="finite and positive"):
        balls_volume(f64([[1.0]]), 0.0, generator())
    with pytest.raises(ConfigurationError, match="at least 2"):
        balls_volume(f64([[1.0]]), 1.0, generator(), draws=1)
