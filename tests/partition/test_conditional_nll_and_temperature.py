"""Density scores against closed forms, and controls that must score badly."""

import math

import numpy as np
import pytest
import torch
from metrics_support import GRID, randn
from problems import generator
from scipy import stats

from ebmlab import FunctionEnergy
from ebmlab.data import relations
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics import branch_matches, conditional_nll, fit_temperature, grid_energies


def _gaussian_rows(n=100, scale=0.5, factor=1.0):
    """factor·(y - x)²/2·scale² on the grid and at the quantiles of N(x, scale²)."""
    quantile = torch.as_tensor(stats.norm.ppf((np.arange(n) + 0.5) / n))
    x = torch.linspace(-3, 3, n, dtype=torch.float64)
    energies = factor * 0.5 * ((GRID - x[:, None]) / scale).square()
    return energies, factor * 0.5 * quantile.square(), quantile


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_the_nll_of_a_gaussian_is_its_closed_form(temperature):
    energies, at, quantile = _gaussian_rows()
    closed = 0.5 * math.log(2 * math.pi * temperature * 0.25) + at.mean() / temperature
    nll = conditional_nll(energies, GRID, at, temperature)
    assert nll.shape == ()
    assert nll.dtype == torch.float64
    assert nll == pytest.approx(closed.item(), abs=1e-12)
    judge = -stats.norm.logpdf(0.5 * quantile, scale=0.5 * math.sqrt(temperature)).mean()
    assert nll == pytest.approx(judge, abs=1e-12)


def test_the_nll_of_the_true_density_is_its_entropy_and_every_other_is_worse():
    energies, at, _ = _gaussian_rows(n=1000)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25)
    true = conditional_nll(energies, GRID, at, 1.0)
    assert true == pytest.approx(entropy, abs=2e-3)
    for wrong in (0.5, 0.9, 1.1, 2.0):
        assert conditional_nll(energies, GRID, at, wrong) > true
    assert conditional_nll(-energies, GRID, -at, 1.0) > true + 1


def test_the_nll_does_not_see_an_offset_of_any_row_and_survives_huge_energies():
    energies, at, _ = _gaussian_rows()
    offset = 1e6 * randn(len(at))
    moved = conditional_nll(energies + offset[:, None], GRID, at + offset, 1.0)
    assert moved == pytest.approx(conditional_nll(energies, GRID, at, 1.0).item(), abs=1e-8)
    cold = conditional_nll(1e6 * energies, GRID, 1e6 * at, 1e6)
    assert cold == pytest.approx(conditional_nll(energies, GRID, at, 1.0).item(), abs=1e-8)


def test_the_nll_takes_uneven_grids_and_walls():
    energies = torch.where(GRID.abs() > 1, torch.inf, 0.0)[None]
    # The trapezoid rule sees the box up to the middle of the step next to the wall.
    flat = conditional_nll(energies, GRID, torch.zeros(1), 1.0)
    assert flat == pytest.approx(math.log(2.01), abs=1e-9)
    uneven = torch.linspace(-2.2, 2.2, 3001, dtype=torch.float64) ** 3
    curved = conditional_nll(0.5 * uneven.square()[None], uneven, torch.full((1,), 0.5), 1.0)
    assert curved == pytest.approx(0.5 + 0.5 * math.log(2 * math.pi), abs=1e-5)


@pytest.mark.parametrize("factor", [1e-5, 0.3, 1.0, 7.0, 1e6])
def test_the_fitted_temperature_is_the_factor_of_a_gaussian_energy(factor):
    energies, at, _ = _gaussian_rows(n=100, factor=factor)
    assert fit_temperature(energies, GRID, at) == pytest.approx(2 * at.mean().item(), rel=1e-8)
    expected = torch.full_like(at, 0.5 * factor)
    assert fit_temperature(energies, GRID, expected) == pytest.approx(factor, rel=1e-8)


def test_the_fitted_temperature_takes_uneven_grids():
    uneven = torch.linspace(-2.2, 2.2, 3001, dtype=torch.float64) ** 3
    fitted = fit_temperature(0.5 * uneven.square()[None], uneven, torch.full((1,), 0.5))
    assert fitted == pytest.approx(1, abs=1e-3)


def test_the_fitted_temperature_does_not_see_offsets_and_sees_the_data():
    energies, at, _ = _gaussian_rows()
    offset = 1e3 * randn(len(at))
    fitted = fit_temperature(energies, GRID, at)
    moved = fit_temperature(energies + offset[:, None], GRID, at + offset)
    assert moved == pytest.approx(fitted, rel=1e-6)
    assert fit_temperature(energies, GRID, 2 * at) == pytest.approx(2 * fitted, rel=1e-3)


def test_the_fitted_temperature_is_the_best_of_a_scan_for_wells_that_are_not_gaussian():
    energies = (GRID.square() - 1).square().expand(50, -1) * 3
    place = torch.linspace(0.6, 1.3, 50, dtype=torch.float64)
    at = (place.square() - 1).square() * 3
    fitted = fit_temperature(energies, GRID, at)
    best = conditional_nll(energies, GRID, at, fitted)
    for factor in (1e-3, 0.5, 0.98, 1.02, 2.0, 1e3):
        assert conditional_nll(energies, GRID, at, factor * fitted) > best


@pytest.mark.parametrize("energy", [torch.zeros_like(GRID), 1e-7 * GRID.cos(), GRID.square()])
def test_an_energy_that_knows_nothing_ends_uniform_over_the_window(energy):
    # Flat, flat but for rounding, and a well as far from the data as can be.
    at = energy.amax().expand(20)
    energies = energy.expand(20, -1)
    fitted = fit_temperature(energies, GRID, at)
    assert fitted > 0
    assert conditional_nll(energies, GRID, at, fitted) == pytest.approx(math.log(24), abs=1e-4)


def test_a_wall_does_not_disturb_the_fit():
    energies, at, _ = _gaussian_rows()
    walled = torch.where(GRID.abs() > 9, torch.inf, energies)
    fitted = fit_temperature(walled, GRID, at)
    assert fitted == pytest.approx(fit_temperature(energies, GRID, at), rel=1e-4)
    steep = torch.where(GRID.abs() > 9, 1e12, energies)
    assert fit_temperature(steep, GRID, at) == pytest.approx(fitted, rel=1e-4)


def test_density_scores_refuse_what_does_not_fit():
    energies, at, _ = _gaussian_rows(n=4)
    answers = [torch.zeros(1)] * 4
    for score in (lambda *a: conditional_nll(*a, 1.0), fit_temperature):
        with pytest.raises(ShapeError, match="do not fit"):
            score(energies, GRID[:-1], at)
        with pytest.raises(ShapeError, match="do not fit"):
            score(energies, GRID, at[:-1])
        with pytest.raises(ConfigurationError, match="increase"):
            score(energies, GRID.flip(0), at)
    with pytest.raises(ConfigurationError, match="temperature"):
        conditional_nll(energies, GRID, at, 0.0)
    with pytest.raises(NonFiniteError, match="no temperature"):
        fit_temperature(energies, GRID, at + torch.inf)
    broken = energies.clone()
    broken[2, 5] = torch.nan
    for refused in (broken, torch.where(torch.arange(4)[:, None] == 2, torch.inf, energies)):
        with pytest.raises(NonFiniteError, match="row 2"):
            fit_temperature(refused, GRID, at)
        with pytest.raises(NonFiniteError, match="row 2"):
            branch_matches(refused, GRID, answers, 1.0)
    with pytest.raises(ShapeError, match="branches holds 3"):
        branch_matches(energies, GRID, answers[:3], 1.0)
    with pytest.raises(ConfigurationError, match="all empty"):
        branch_matches(energies, GRID, [torch.zeros(0)] * 4, 1.0)
    for setting in ({"tolerance": 0.0}, {"depth": -1.0}):
        with pytest.raises(ConfigurationError, match=next(iter(setting))):
            branch_matches(energies, GRID, answers, 1.0, **setting)


def test_the_true_energy_of_the_inverse_problem_is_at_temperature_one():
    relation = relations.inverse_sine
    x, y = (t.double() for t in relation(4000, generator()))
    grid = torch.linspace(*relation.y_range, 301, dtype=torch.float64)
    energy = FunctionEnergy(
        lambda x, y: 0.5 * (x - y - 0.3 * (2 * math.pi * y).sin()).square().sum(-1) / 0.05**2,
        ("x", "y"),
    )
    energies, at = grid_energies(energy, x, grid), energy(x, y)
    # T is estimated with a relative deviation of √(2 / 4000) = 0.022: five of them, 6e-7.
    fitted = fit_temperature(energies, grid, at)
    assert fitted == pytest.approx(1, abs=0.11)
    nll = conditional_nll(energies, grid, at, 1.0)
    assert nll == pytest.approx(-relation.log_density(x, y).mean().item(), abs=1e-3)
