"""Recall and precision against known answers, and controls that must score badly."""

import pytest
import torch
from metrics_support import GRID, randn

from ebmlab import FunctionEnergy
from ebmlab.data import relations
from ebmlab.metrics import branch_matches, grid_energies


def _wells(*places, lift=0.0):
    """Unit parabolas at the places, the first lifted, on a row of the grid."""
    heights = [lift] + [0.0] * (len(places) - 1)
    wells = [(GRID - place).square() + h for place, h in zip(places, heights, strict=True)]
    return torch.stack(wells).amin(0)


def test_recall_and_precision_count_over_all_rows():
    energies = torch.stack([_wells(-1.0, 1.0), _wells(-1.0, 1.0), _wells(3.0)])
    answers = [torch.tensor(a) for a in ([-1.0, 1.0], [-1.0], [2.0, 3.0, 4.0])]
    # Five minima, four of them right; six answers, four of them found.
    found = branch_matches(energies, GRID, answers, 1.0)
    assert found.recall == pytest.approx(4 / 6)
    assert found.precision == pytest.approx(4 / 5)


def test_one_minimum_may_find_two_answers_and_two_minima_one():
    apart = [torch.tensor([0.98, 1.02])]
    assert branch_matches(_wells(1.0, 3.0)[None], GRID, apart, 1.0) == (1, 0.5)
    answers = [torch.tensor([1.0, 2.0])]
    assert branch_matches(_wells(0.97, 1.03)[None], GRID, answers, 1.0) == (0.5, 1)


def test_minima_lie_between_grid_points_where_the_parabola_says():
    for place in (0.0033, 0.4951, 2.0):
        answers = [torch.tensor([place], dtype=torch.float64)]
        for grid in (GRID, GRID + 1e-3 * (5 * GRID).sin()):
            row = (grid - place).square()[None]
            assert branch_matches(row, grid, answers, 1.0, tolerance=1e-9) == (1, 1)
            # The grid alone is not that fine, as the neighboring point shows.
            assert branch_matches(row, grid, [answers[0] + 1e-3], 1.0, tolerance=9e-4) == (0, 0)


def test_only_minima_within_the_depth_count_and_it_scales_with_temperature():
    row = _wells(-1.0, 1.0, lift=0.4)[None]
    both = [torch.tensor([-1.0, 1.0])]
    assert branch_matches(row, GRID, both, 1.0) == (1, 1)
    assert branch_matches(row, GRID, both, 0.07) == (0.5, 1)
    assert branch_matches(row, GRID, both, 0.09) == (1, 1)
    assert branch_matches(row, GRID, both, 0.07, depth=6.0) == (1, 1)


def test_the_tolerance_is_how_far_an_answer_may_be():
    row = _wells(1.0)[None]
    near = [torch.tensor([1.04])]
    assert branch_matches(row, GRID, near, 1.0) == (1, 1)
    assert branch_matches(row, GRID, near, 1.0, tolerance=0.03) == (0, 0)


def test_a_flat_bottom_is_one_minimum_at_its_middle_and_a_flat_shoulder_none():
    flat = (GRID.abs() - 0.5).clamp(min=0)[None]
    assert branch_matches(flat, GRID, [torch.tensor([0.0])], 1.0, tolerance=1e-6) == (1, 1)
    lopsided = torch.where(GRID > 0, flat, 20 * flat)
    assert branch_matches(lopsided, GRID, [torch.tensor([0.0])], 1.0, tolerance=1e-6) == (1, 1)
    shoulder = (GRID.square() - torch.where(GRID > 0, 1.0, 0.0)).clamp(max=0.25)
    shoulder = torch.where(GRID < -1, 0.25 + (GRID + 1).square(), shoulder)[None]
    found = branch_matches(shoulder, GRID, [torch.tensor([0.01])], 1.0)
    assert found == (1, 1)


def test_an_edge_is_a_minimum_only_if_the_energy_falls_towards_it():
    slope, window = GRID[None], [GRID[[0]]]
    assert branch_matches(slope, GRID, window, 1.0) == (1, 1)
    assert branch_matches(-slope, GRID, window, 1.0) == (0, 0)
    both = [GRID[[0, -1]]]
    assert branch_matches(-slope.square(), GRID, both, 1.0) == (1, 1)
    saturated = (GRID + 11.99).clamp(min=0)[None]
    assert branch_matches(saturated, GRID, window, 1.0) == (1, 1)


def test_a_constant_energy_finds_nothing_and_a_wall_is_no_minimum():
    answers = [torch.tensor([0.0])]
    assert branch_matches(torch.zeros(1, len(GRID)), GRID, answers, 1.0) == (0, 0)
    walled = torch.where(GRID.abs() > 1, torch.inf, GRID.square())[None]
    assert branch_matches(walled, GRID, answers, 1.0) == (1, 1)
    slit = torch.where(GRID.abs() > 1e-6, torch.inf, GRID.square())[None]
    assert branch_matches(slit, GRID, answers, 1.0) == (1, 1)


def test_the_true_energy_of_the_inverse_problem_scores_best_and_a_regression_does_not():
    relation = relations.inverse_sine
    grid = torch.linspace(*relation.y_range, 401, dtype=torch.float64)
    x = torch.linspace(0.45, 0.55, 41, dtype=torch.float64)
    branches = relation.branches(x)

    def true(x, y):
        return -relation.log_density(x, y)

    def regression(x, y):
        return (y - 0.5).square().sum(-1) / 0.01

    right = grid_energies(FunctionEnergy(true, ("x", "y")), x[:, None], grid)
    assert branch_matches(right, grid, branches, 1.0) == (1, 1)
    mean = grid_energies(FunctionEnergy(regression, ("x", "y")), x[:, None], grid)
    assert branch_matches(mean, grid, branches, 1.0).recall <= 0.4
    noisy = right + 1.0 * randn(*right.shape)
    assert branch_matches(noisy, grid, branches, 1.0).precision < 0.9
    turned = branch_matches(-right, grid, branches, 1.0)
    assert turned.recall < 0.1
