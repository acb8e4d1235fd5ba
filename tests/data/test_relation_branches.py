import math

import pytest
import torch
from data_support import RELATIONS
from problems import generator

from ebmlab.data import relations


def test_three_branches_exist_only_between_the_turns_of_the_sine():
    x = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    counts = torch.tensor([len(y) for y in relations.inverse_sine.branches(x)])
    turn = math.acos(-1 / (0.6 * math.pi)) / (2 * math.pi)
    upper = turn + 0.3 * math.sin(2 * math.pi * turn)
    assert (round(1 - upper, 3), round(upper, 3)) == (0.407, 0.593)
    inside = (x > 1 - upper) & (x < upper)
    assert torch.equal(counts, torch.where(inside, 3, 1))
    outside = relations.inverse_sine.branches(torch.tensor([-0.01, 1.01]))
    assert [len(y) for y in outside] == [0, 0]


def test_a_turning_point_of_the_sine_is_one_branch():
    turn = torch.tensor(math.acos(-1 / (0.6 * math.pi)) / (2 * math.pi), dtype=torch.float64)
    for y in (turn, 1 - turn):
        x = y + 0.3 * (2 * math.pi * y).sin()
        for shift, count in ((-1e-6, 2), (0.0, 1), (1e-6, 0)):
            # Beyond a maximum, or below a minimum, two branches are gone.
            outward = shift if y < 0.5 else -shift
            found = relations.inverse_sine.branches((x + outward)[None])[0]
            near = (found - y).abs() < 0.01
            assert (near.sum(), (~near).sum()) == (count, 1)


@pytest.mark.parametrize("name", RELATIONS)
def test_branches_are_sorted_roots_in_the_dtype_of_x(name):
    relation = getattr(relations, name)
    noise_free = {
        "inverse_sine": lambda x, y: y + 0.3 * (2 * math.pi * y).sin() - x,
        "circle": lambda x, y: x**2 + y**2 - 1,
        "crossing_lines": lambda x, y: x**2 - y**2,
    }[name]
    x = torch.rand(200, generator=generator(), dtype=torch.float64)
    found = relation.branches(x)
    for here, y in zip(x, found, strict=True):
        assert noise_free(here, y).abs().max() < 1e-13
        assert torch.equal(y, y.sort().values)
        assert len(y.unique()) == len(y)
    assert relation.branches(x.float())[0].dtype == torch.float32


@pytest.mark.parametrize("name", RELATIONS)
def test_branches_are_where_the_density_peaks(name):
    relation = getattr(relations, name)
    x = torch.tensor([0.45, 0.5, 0.55], dtype=torch.float64)
    grid = torch.linspace(*relation.y_range, 20001, dtype=torch.float64)
    density = relation.log_density(x[:, None, None], grid[None, :, None])
    peak = (density[:, 1:-1] > density[:, :-2]) & (density[:, 1:-1] > density[:, 2:])
    for row, y in zip(peak, relation.branches(x), strict=True):
        assert grid[1:-1][row].tolist() == pytest.approx(y.tolist(), abs=0.003)


def test_circle_and_lines_have_fewer_branches_at_their_special_points():
    answers = relations.circle.branches(torch.tensor([-1.0, 0.0, 1.0, 1.1]))
    assert [y.tolist() for y in answers] == [[0.0], [-1.0, 1.0], [0.0], []]
    answers = relations.crossing_lines.branches(torch.tensor([0.0, -0.5]))
    assert [y.tolist() for y in answers] == [[0.0], [-0.5, 0.5]]
