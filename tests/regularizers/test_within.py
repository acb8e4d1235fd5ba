"""Spread within groups, and sums of penalties: against loops, by hand, in every precision."""

import pytest
import torch
from problems import F64, generator, randn
from regularizers_support import is_symmetric, same_value_and_slopes, views
from torch import nn

from ebmlab.energies import JointEmbedding, SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.objectives import Regularized
from ebmlab.regularizers import BarlowTwins, SIGReg, VICReg, Within

INNER = {"VICReg": VICReg(), "SIGReg": SIGReg(16)}
GROUPS = torch.tensor([0, 0, 1, 2, 2, 2, 1, 3, 4, 4, 4, 3])


def differences(x, y, groups):
    """What differs within groups, row after row."""
    rows, of = [*x, *y], [*groups.tolist(), *groups.tolist()]
    found = []
    for row, own in zip(rows, of, strict=True):
        members = torch.stack([r for r, g in zip(rows, of, strict=True) if g == own])
        m = len(members)
        found.append((m / (m - 1)) ** 0.5 * (row - members.mean(0)))
    return torch.stack(found)


@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("name", INNER)
def test_it_is_the_inner_penalty_of_differences_from_the_means_of_groups(name, groups):
    (x, y), inner = views(), INNER[name]
    each = torch.arange(12) if groups is None else groups
    due = inner.of(differences(x, y, each))
    same_value_and_slopes(Within(inner)(x, y, groups=groups), due, x, y)
    assert is_symmetric(Within(inner), x, y)
    # Without the root the differences would be too small.
    assert not torch.allclose(inner.of(differences(x, y, each) / 2**0.5), due)


def test_by_hand_and_blind_to_what_tells_groups_apart():
    # One dimension, two pairs (a, a + 2): differences are ∓1 times √2, of variance 8 / 3.
    x = torch.tensor([[0.0], [5.0]], dtype=F64)
    vicreg = VICReg(gamma=2.0, eps=1e-12, cov=0.0)
    value = Within(vicreg)(x, x + 2)
    torch.testing.assert_close(value, torch.tensor(25 * (2 - (8 / 3) ** 0.5), dtype=F64))
    shifts = randn(2, 1, seed=3)
    torch.testing.assert_close(Within(vicreg)(x + shifts, x + 2 + shifts), value)


@pytest.mark.parametrize("m", [2, 3, 8])
def test_the_variance_of_differences_is_that_within_a_group(m):
    # 4,000 groups of m draws N(0, 4) about means that vary much more: the standard error of the
    # variance is below 4 √(2 / 4000) = 0.09; 0.4 would fail by chance once in 10^5 seeds.
    h = 2 * randn(4000 * m, 1) + 50 * randn(4000, 1, seed=1).repeat_interleave(m, 0)
    groups = torch.arange(4000).repeat_interleave(m)
    penalty = Within(VICReg(std=1.0, cov=0.0, gamma=5.0, eps=1e-12))
    deviation = 5 - penalty(h, h, groups=groups)
    assert deviation**2 == pytest.approx(4.0, abs=0.4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    x, y = (t.detach().to(dtype) for t in views())
    value = Within(VICReg())(x, y)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, Within(VICReg())(x.float(), y.float()))


def test_a_group_of_one_row_and_codes_that_differ_in_shape_are_refused():
    x, y = views()
    for groups in (None, GROUPS.clone().index_fill_(0, torch.tensor([0]), 5)):
        with pytest.raises(ShapeError, match=r"group . has one row"):
            Within(VICReg())(x, x, groups=groups)
    with pytest.raises(ShapeError, match="hx has shape"):
        Within(VICReg())(x, y[:, :2])


def test_moments_of_a_thing_are_of_one_group_for_the_objective():
    f = nn.Linear(3, 2).double()
    energy = JointEmbedding(f, f, SquaredDistance())
    x = randn(6, 4, 3)
    value = Regularized(Within(VICReg()), energy_weight=0.0)(energy, x, x, generator()).value
    groups = torch.arange(6).repeat_interleave(4)
    rows = f(x).flatten(0, 1)
    torch.testing.assert_close(value, Within(VICReg())(rows, rows, groups=groups))


def test_penalties_add_and_weigh_and_each_term_keeps_its_own_way_over_views():
    f = nn.Linear(3, 4).double()
    energy, shown = JointEmbedding(f, f, SquaredDistance()), tuple(randn(3, 8, 3))
    terms = [(2.0, VICReg()), (0.5, Within(VICReg())), (0.1, BarlowTwins()), (0.3, SIGReg(8))]

    def value(penalty):
        return Regularized(penalty, energy_weight=0.0)(energy, shown, shown, generator()).value

    whole = 2 * (VICReg() + 0.25 * Within(VICReg())) + (terms[2][1] * 0.1 + 0.3 * terms[3][1])
    due = torch.stack([weight * value(part) for weight, part in terms]).sum()
    same_value_and_slopes(value(whole), due, f.weight)
    x, y = views()
    by_hand = torch.stack([weight * part(x, y) for weight, part in terms]).sum()
    same_value_and_slopes(whole(x, y), by_hand, x, y)


def test_state_of_parts_moves_once_with_the_objective():
    sigreg = SIGReg(4)
    objective = Regularized(sigreg + 0.5 * Within(sigreg))
    h = randn(8, 3)
    objective(SquaredDistance(), h, h + 1, generator()).commit()
    assert int(sigreg.clock) == 1
    assert "regularizer.held.0.clock" in objective.state_dict()


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigurationError, match="weight"):
        -1.0 * VICReg()
