"""Proximal operators: each against the inequality that defines it, and a search by scipy."""

import math

import pytest
import torch
from problems import F64, f64, randn
from torch import nn

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import L1, Box, Group, NonNegative, OnSimplex, Penalty
from ebmlab.testing import check_energy

WEIGHTS = f64([0.0, 0.1, 0.5, 1.0, 2.0, 0.3])
PENALTIES = {
    "L1": lambda: L1(0.7),
    "L1, weights": lambda: L1(WEIGHTS),
    "L1, nonnegative": lambda: L1(0.7, nonnegative=True),
    "Group": lambda: Group(0.7, 2),
    "Group, weights": lambda: Group(f64([0.2, 0.0, 1.5]), 2),
    "Box": lambda: Box(-0.5, 0.8),
    "NonNegative": lambda: NonNegative(),
    "OnSimplex": lambda: OnSimplex(),
}


class Doubled(Penalty):
    """A wrong one: the threshold is twice what the value says."""

    def value(self, z):
        return L1(0.7).value(z)

    def prox(self, z, step):
        return L1(1.4).prox(z, step)


def _is_the_minimizer(penalty: Penalty) -> bool:
    """No other point is lower, by the strong convexity of the objective: J(v) - J(p) >= ½‖v - p‖².

    J(v) = step R(v) + ½ ‖v - z‖². Other points are feasible, near p and far.
    """
    z, step = 2 * randn(40, 6), 0.1 + 2 * randn(40, 1, seed=1).abs()
    p = penalty.prox(z, step)
    others = torch.stack(
        [penalty.prox(p + 10.0**-k * randn(40, 6, seed=9 + k), 0.0) for k in range(7)]
        + [penalty.prox(z, 0.5 * step), penalty.prox(z, 2 * step), penalty.prox(z, 0.0)]
    )

    def objective(v):
        return step[:, 0] * penalty.value(v) + 0.5 * (v - z).square().sum(-1)

    gain = objective(others) - objective(p) - 0.5 * (others - p).square().sum(-1)
    return bool((objective(p).isfinite()).all() and (gain > -1e-12).all())


@pytest.mark.parametrize("name", PENALTIES)
def test_the_prox_is_the_minimizer(name):
    assert _is_the_minimizer(PENALTIES[name]())


def test_the_judge_sees_a_wrong_threshold():
    assert not _is_the_minimizer(Doubled())


@pytest.mark.parametrize("name", PENALTIES)
def test_the_prox_of_step_zero_is_the_nearest_feasible_point(name):
    penalty, z = PENALTIES[name](), 2 * randn(10, 6)
    p = penalty.prox(z, 0.0)
    assert penalty.value(p).isfinite().all()
    torch.testing.assert_close(penalty.prox(p, 0.0), p)
    if penalty.value(z).isfinite().all():
        torch.testing.assert_close(p, z)


# A penalty, a z with entries right at a kink, its prox, and which entries have a slope.
KINKS = {
    "L1": (lambda: L1(0.5), [0.5, -0.5, 2.0, 0.2], [0.0, 0.0, 1.5, 0.0], "0010"),
    "L1, nonnegative": (lambda: L1(0.5, nonnegative=True), [0.5, 2.0], [0.0, 1.5], "01"),
    "Group": (lambda: Group(5.0, 2), [3.0, 4.0, 6.0, 8.0], [0.0, 0.0, 3.0, 4.0], "0011"),
    "Box": (lambda: Box(-1.0, 2.0), [-1.0, 2.0, 0.5], [-1.0, 2.0, 0.5], "001"),
    "NonNegative": (lambda: NonNegative(), [0.0, 1.0], [0.0, 1.0], "01"),
    "OnSimplex": (lambda: OnSimplex(), [0.75, 0.25, 0.0], [0.75, 0.25, 0.0], "110"),
}


@pytest.mark.parametrize("name", KINKS)
def test_right_at_a_kink_the_slope_is_0(name):
    make, at, due, moving = KINKS[name]
    z, penalty = f64([at]), make()
    torch.testing.assert_close(penalty.prox(z, 1.0), f64([due]))
    slopes = torch.autograd.functional.jacobian(lambda z: penalty.prox(z, 1.0)[0], z)[:, 0]
    assert "".join(str(int(row.any())) for row in slopes) == moving
    # NaN stays NaN: no comparison may turn it into a number.
    assert penalty.prox(math.nan * z, 1.0).isnan().all()


@pytest.mark.parametrize("name", PENALTIES)
def test_the_prox_never_moves_points_apart(name):
    penalty, a, b = PENALTIES[name](), 3 * randn(50, 6), 3 * randn(50, 6, seed=1)
    moved = (penalty.prox(a, 0.7) - penalty.prox(b, 0.7)).norm(dim=1)
    assert (moved <= (a - b).norm(dim=1) * (1 + 1e-12)).all()


@pytest.mark.parametrize("name", ["L1", "Group"])
def test_a_smooth_enough_penalty_keeps_the_laws_of_energies(name):
    check_energy(PENALTIES[name](), None, randn(4, 6).float())


def test_values_are_the_formulas():
    z = f64([[3.0, -4.0, 0.0, 1.0, 0.0, 0.0]])
    for penalty, due in (
        (L1(0.5), 4.0),
        (L1(WEIGHTS), 0.4 + 1.0),
        (L1(1.0, nonnegative=True), math.inf),
        (Group(2.0, 2), 12.0),
        (Box(-4.0, 3.0), 0.0),
        (Box(-3.0, 3.0), math.inf),
        (NonNegative(), math.inf),
        (OnSimplex(), math.inf),
    ):
        torch.testing.assert_close(penalty(None, z), f64([due]))
    torch.testing.assert_close(OnSimplex()(None, torch.full((1, 5), 0.2)), torch.zeros(1))


def test_whole_groups_vanish_and_no_others():
    z = f64([[0.3, 0.4, 3.0, 4.0]])
    torch.testing.assert_close(Group(1.0, 2).prox(z, 1.0), f64([[0.0, 0.0, 2.4, 3.2]]))


def test_a_penalty_takes_any_leading_dimensions_and_each_row_its_step():
    z, step = randn(2, 3, 6), f64([0.1, 1.0, 2.0])[:, None]
    for make in PENALTIES.values():
        each = [make().prox(z[:, i], float(step[i])) for i in range(3)]
        torch.testing.assert_close(make().prox(z, step), torch.stack(each, 1))


def test_a_weight_that_is_a_parameter_is_learned_and_a_tensor_is_saved():
    learned = L1(nn.Parameter(f64(0.5)))
    learned(None, randn(3, 6)).sum().backward()
    assert [p.grad for p in learned.parameters()] == [randn(3, 6).abs().sum()]
    assert L1(WEIGHTS).state_dict()["weight"].dtype == F64


@pytest.mark.parametrize(
    "make",
    [
        lambda: L1(-1.0),
        lambda: L1(math.nan),
        lambda: Group(1.0, 0),
        lambda: Group(-1.0, 2),
        lambda: Box(1.0, 1.0),
        lambda: Box(math.nan, 1.0),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(ConfigurationError):
        make()


def test_groups_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="groups of 4"):
        Group(1.0, 4).prox(randn(2, 6), 1.0)
