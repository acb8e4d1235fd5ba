"""Toys against quadrature and their own draws."""

import math

import pytest
import torch
from data_support import FALSE_ALARM
from problems import generator
from scipy import stats

from ebmlab.data import toys
from ebmlab.errors import ConfigurationError, ShapeError

ALL_TOYS = [
    "checkerboard",
    "eight_gaussians",
    "grid_gaussians",
    "pinwheel",
    "rings",
    "spirals",
    "swiss_roll",
    "two_moons",
]
# Those that are sums over a curve take longer, and are smooth.
CURVES = ["spirals", "swiss_roll", "two_moons"]


@pytest.mark.parametrize("name", ALL_TOYS)
def test_toys_draw_float32_points_of_the_window_from_the_given_generator_only(name):
    toy, before = getattr(toys, name), torch.get_rng_state()
    points = toy(4000, generator())
    assert points.shape == (4000, 2)
    assert points.dtype == torch.float32
    assert ((points.abs() <= 3).all(-1)).double().mean() > 0.99
    assert torch.equal(points, toy(4000, generator()))
    assert not torch.equal(points, toy(4000, generator(1)))
    assert torch.equal(before, torch.get_rng_state())


def _window(half, count):
    """Midpoints of a square grid and the area of one cell."""
    line = half * ((2 * torch.arange(count, dtype=torch.float64) + 1) / count - 1)
    return torch.cartesian_prod(line, line), (2 * half / count) ** 2


@pytest.mark.parametrize("name", ALL_TOYS)
def test_a_toys_density_integrates_to_one(name):
    points, area = _window(half=5.0, count=200 if name in CURVES else 500)
    total = getattr(toys, name).log_density(points).exp().sum() * area
    assert total == pytest.approx(1, abs=1e-8)


def _cloud_p_value(points, log_density, fine, bins=24, half=3.0):
    """Of two tests: Pearson's of counts in square bins, and log p(y) has its mean (normal)."""
    grid, area = _window(half, bins * fine)
    on_grid = log_density(grid)
    mass = on_grid.exp() * area
    cell = ((points.double() + half) * (bins / (2 * half))).floor().long()
    inside = ((cell >= 0) & (cell < bins)).all(-1)
    counts = torch.bincount(cell[inside] @ torch.tensor([bins, 1]), minlength=bins**2)
    expected = mass.reshape(bins, fine, bins, fine).sum((1, 3)).flatten() * len(points)
    usual = expected >= 5
    # What falls into rare bins or out of the window is pooled.
    seen = torch.cat([counts[usual], (len(points) - counts[usual].sum())[None]]).double()
    due = torch.cat([expected[usual], (len(points) - expected[usual].sum())[None]])
    seen, due = seen[due > 1e-6], due[due > 1e-6]
    counted = stats.chi2.sf(((seen - due).square() / due).sum().item(), len(due) - 1)
    finite = on_grid.clamp(min=-700)
    mean = (mass * finite).sum()
    variance = (mass * finite.square()).sum() - mean.square()
    surplus = log_density(points.double()).mean() - mean
    # A uniform density has one value only, up to rounding.
    z = surplus.abs() / (variance.clamp(min=1e-9) / len(points)).sqrt()
    return 2 * min(counted, 2 * stats.norm.sf(z.item()))


@pytest.mark.parametrize("name", ALL_TOYS)
def test_a_toys_draws_follow_its_density_and_stretched_draws_do_not(name):
    toy = getattr(toys, name)
    count, fine = (20000, 6) if name in CURVES else (40000, 10)
    points = toy(count, generator())
    assert _cloud_p_value(points, toy.log_density, fine) > FALSE_ALARM
    assert _cloud_p_value(1.03 * points, toy.log_density, fine) < FALSE_ALARM
    assert toy.log_density(points).isfinite().all()


@pytest.mark.parametrize("toy", [toys.two_moons, toys.spirals, toys.Spirals(2.0, 1.0, 0.2)])
def test_the_density_about_a_curve_is_the_mean_of_gaussians_along_it(toy):
    y = toy(50, generator()).double()
    share = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    if isinstance(toy, toys.TwoMoons):
        angle, shift = math.pi * share, torch.tensor([0.5, 0.25], dtype=torch.float64)
        curve = toy.radius * (torch.stack([angle.cos(), angle.sin()], -1) - shift)
    else:
        angle = 2 * math.pi * toy.turns * share.sqrt()
        curve = toy.radius * share.sqrt()[:, None] * torch.stack([angle.cos(), angle.sin()], -1)
    misfit = torch.stack([torch.cdist(y, s * curve) for s in (1, -1)]).square()
    due = (-misfit / (2 * toy.noise**2)).exp().mean((0, 2)) / (2 * math.pi * toy.noise**2)
    torch.testing.assert_close(toy.log_density(y), due.log(), rtol=0, atol=1e-3)


def test_moons_and_spirals_lie_about_their_curves():
    t = torch.linspace(0, 1, 2001)[:, None]
    arc = torch.cat([(math.pi * t).cos() - 0.5, (math.pi * t).sin() - 0.25], dim=-1)
    turn = 3 * math.pi * t
    arm = t * torch.cat([turn.cos(), turn.sin()], dim=-1)
    for toy, curve, size in ((toys.two_moons, arc, 1.6), (toys.spirals, arm, 2.5)):
        points = toy(2000, generator())
        distance = torch.cdist(points, size * torch.cat([curve, -curve])).amin(-1)
        # The distance to a line of N(0, σ²I) is |N(0, σ²)|: a false alarm of 5.5 σ in 2000 · 4e-8
        # < 1e-4 of the seeds; its mean square has a relative deviation of √(2 / 2000) = 0.03,
        # five of which, and what lies past the ends or between two turns, the bounds leave room.
        assert distance.max() < 5.5 * toy.noise
        assert 0.75 < distance.square().mean() / toy.noise**2 < 1.25
        stretched = torch.cdist(1.2 * points, size * torch.cat([curve, -curve])).amin(-1)
        assert stretched.max() > 5.5 * toy.noise
        own = torch.cdist(points, size * curve).amin(-1) < 5.5 * toy.noise
        # Each half has probability ½ plus what lies near both: five standard deviations, 3e-7.
        assert own.double().mean() > 0.5 - 5 * 0.5 / math.sqrt(2000)
        assert own.double().mean() < 0.8


def test_spirals_spread_their_points_by_the_square_of_the_radius():
    squared = toys.spirals(2000, generator()).double().square().sum(-1)
    due = toys.spirals.radius**2 / 2 + 2 * toys.spirals.noise**2
    error = squared.std() / math.sqrt(2000)
    # Five standard errors: a false alarm in 6e-7 of the seeds.
    assert abs(squared.mean() - due) < 5 * error
    assert abs(squared.sqrt().mean() ** 2 - due) > 5 * error


def test_a_swiss_roll_lies_about_its_arm_with_as_many_points_at_each_radius():
    roll = toys.swiss_roll
    points = roll(2000, generator())
    s = torch.linspace(roll.inner, 1, 1001)[:, None]
    turn = 2 * math.pi * roll.turns * s
    arm = roll.radius * s * torch.cat([turn.cos(), turn.sin()], dim=-1)
    distance = torch.cdist(points, arm).amin(-1)
    # As above: 5.5 σ in 2000 · 4e-8 < 1e-4 of the seeds.
    assert distance.max() < 5.5 * roll.noise
    assert 0.75 < distance.square().mean() / roll.noise**2 < 1.25
    assert torch.cdist(1.2 * points, arm).amin(-1).max() > 5.5 * roll.noise
    sharp = toys.SwissRoll(noise=1e-6)(4000, generator()).norm(dim=-1).numpy() / roll.radius
    uniform = stats.uniform(roll.inner, 1 - roll.inner)
    assert stats.kstest(sharp, uniform.cdf).pvalue > FALSE_ALARM
    assert stats.kstest(sharp**2, uniform.cdf).pvalue < FALSE_ALARM


def test_toys_keep_dtype_and_leading_dimensions_of_what_they_judge():
    y = torch.zeros(3, 4, 2, dtype=torch.float64)
    for name in ALL_TOYS:
        out = getattr(toys, name).log_density(y)
        assert out.shape == (3, 4)
        assert out.dtype == torch.float64


def test_toys_refuse_what_they_cannot_draw_or_judge():
    with pytest.raises(ConfigurationError, match="n is 0"):
        toys.rings(0, generator())
    with pytest.raises(ConfigurationError, match="rng"):
        toys.rings(3, None)
    with pytest.raises(ShapeError, match=r"\(4, 3\)"):
        toys.rings.log_density(torch.zeros(4, 3))
    with pytest.raises(ConfigurationError, match="noise"):
        toys.Rings(noise=0.0)
    with pytest.raises(ConfigurationError, match="cells"):
        toys.Checkerboard(cells=3)
