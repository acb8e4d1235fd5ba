"""Relations against quadrature and their own draws."""

import math

import numpy as np
import pytest
import torch
from data_support import FALSE_ALARM, RELATIONS
from problems import generator
from scipy import integrate, stats

from ebmlab.data import relations
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError


@pytest.mark.parametrize("name", RELATIONS)
def test_relations_draw_columns_from_the_given_generator_only(name):
    relation, before = getattr(relations, name), torch.get_rng_state()
    x, y = relation(1000, generator())
    again = relation(1000, generator())
    assert x.shape == y.shape == (1000, 1)
    assert x.dtype == y.dtype == torch.float32
    assert torch.equal(x, again[0])
    assert torch.equal(y, again[1])
    assert torch.equal(before, torch.get_rng_state())
    low, high = relation.y_range
    assert ((y >= low) & (y <= high)).all()


def _on_grid(relation, x, count):
    """A grid on y_range and p(y | x) there, (n, count)."""
    grid = torch.linspace(*relation.y_range, count, dtype=torch.float64)
    return grid, relation.log_density(x[:, None], grid[None, :, None]).exp()


@pytest.mark.parametrize("noise", [0.05, 0.02, 0.2])
@pytest.mark.parametrize("name", RELATIONS)
def test_a_conditional_density_integrates_to_one(name, noise):
    relation = type(getattr(relations, name))(noise)
    x = torch.tensor([[-0.1], [0.0], [0.3], [0.45], [0.59], [0.98]], dtype=torch.float64)
    grid, density = _on_grid(relation, x, count=20001)
    total = integrate.simpson(density.numpy(), grid.numpy(), axis=-1)
    assert total == pytest.approx(np.ones(len(x)), abs=1e-7)


def _slow_inverse_sine(x, y, noise):
    def likelihood(v):
        return stats.norm.pdf(x, v + 0.3 * math.sin(2 * math.pi * v), noise)

    mass, _ = integrate.quad(likelihood, 0, 1, points=np.linspace(0, 1, 40)[1:-1], limit=400)
    return math.log(likelihood(y) / mass)


def _slow_circle(x, y, noise):
    angle = np.linspace(0, 2 * math.pi, 4000, endpoint=False)
    along_x = stats.norm.pdf(x, np.cos(angle), noise)
    along_y = stats.norm.pdf(y, np.sin(angle), noise)
    return math.log((along_x * along_y).sum() / along_x.sum())


def _slow_crossing_lines(x, y, noise):
    return math.log(0.5 * stats.norm.pdf(y, x, noise) + 0.5 * stats.norm.pdf(y, -x, noise))


SLOW = {
    "inverse_sine": _slow_inverse_sine,
    "circle": _slow_circle,
    "crossing_lines": _slow_crossing_lines,
}


@pytest.mark.parametrize("noise", [0.05, 0.15])
@pytest.mark.parametrize("name", RELATIONS)
def test_a_conditional_density_equals_a_slow_computation(name, noise):
    relation = type(getattr(relations, name))(noise)
    points = [(0.5, 0.48), (0.45, 0.83), (0.05, 0.02), (0.97, 0.9), (0.2, 0.3), (-0.03, 0.04)]
    for x, y in points:
        pair = torch.tensor([[[x]], [[y]]], dtype=torch.float64)
        assert relation.log_density(*pair).item() == pytest.approx(
            SLOW[name](x, y, noise), abs=1e-9, rel=1e-9
        )


def test_densities_stay_finite_far_away_where_naive_ones_underflow():
    x = torch.tensor([[-3.0], [4.0]], dtype=torch.float64)
    y = torch.full((2, 1), 0.5, dtype=torch.float64)
    for name in RELATIONS:
        assert getattr(relations, name).log_density(x, y).isfinite().all()
    grid, density = _on_grid(relations.inverse_sine, x, count=100001)
    total = integrate.simpson(density.numpy(), grid.numpy(), axis=-1)
    assert total == pytest.approx(np.ones(2), abs=1e-6)


def _conditional_p_value(relation, x, y):
    """Of two tests: F(y | x) is uniform (Kolmogorov), log p(y | x) has its mean (normal)."""
    u, surplus, variance = [], 0.0, 0.0
    for part_x, part_y in zip(x.double().split(250), y.double().split(250), strict=True):
        grid, density = _on_grid(relation, part_x, count=501)
        share = torch.cumulative_trapezoid(density, grid, dim=-1)
        u += [np.interp(y, grid[1:], row) for y, row in zip(part_y[:, 0], share, strict=True)]
        log_density = density.clamp(min=1e-300).log()
        mean = torch.trapezoid(density * log_density, grid, dim=-1)
        square = torch.trapezoid(density * log_density.square(), grid, dim=-1)
        surplus += (relation.log_density(part_x, part_y) - mean).sum().item()
        variance += (square - mean.square()).sum().item()
    normal = 2 * stats.norm.sf(abs(surplus) / math.sqrt(variance))
    return 2 * min(stats.kstest(u, "uniform").pvalue, normal)


@pytest.mark.parametrize("name", RELATIONS)
def test_draws_follow_the_conditional_density_and_not_that_of_another_noise(name):
    relation = getattr(relations, name)
    x, y = relation(2000, generator())
    for side in (x < 0.4, x > 0.4):
        pairs = x[side][:, None], y[side][:, None]
        assert _conditional_p_value(relation, *pairs) > FALSE_ALARM
        assert _conditional_p_value(type(relation)(0.065), *pairs) < FALSE_ALARM


def test_nothing_but_the_unit_interval_is_an_answer_to_the_inverse_sine():
    x = torch.tensor([[0.01]])
    outside = relations.inverse_sine.log_density(x, torch.tensor([[-1e-3], [1.001]]))
    assert torch.equal(outside, torch.full((2,), -torch.inf))


@pytest.mark.parametrize("name", RELATIONS)
def test_log_density_broadcasts_and_keeps_the_dtype(name):
    relation = getattr(relations, name)
    x, y = relation(6, generator())
    pairs = relation.log_density(x[:, None], y[None])
    assert pairs.shape == (6, 6)
    assert pairs.dtype == torch.float32
    assert torch.equal(pairs.diagonal(), relation.log_density(x, y))


def test_relations_refuse_what_they_cannot_judge():
    x, y = relations.circle(6, generator())
    with pytest.raises(ShapeError, match="x has shape"):
        relations.circle.log_density(x[:, 0], y)
    with pytest.raises(ShapeError, match="batches differ"):
        relations.circle.log_density(x, y[:4])
    with pytest.raises(DtypeError, match="float64"):
        relations.circle.log_density(x, y.double())
    with pytest.raises(DtypeError, match="int64"):
        relations.circle.log_density(x.long(), y)
    with pytest.raises(ShapeError, match="branches"):
        relations.circle.branches(x)
    with pytest.raises(ConfigurationError, match="noise"):
        relations.NoisyCircle(-1.0)
    with pytest.raises(ConfigurationError, match="n is 0"):
        relations.circle(0, generator())
