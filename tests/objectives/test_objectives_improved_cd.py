"""Improved CD: what reaches the parameters through the chains' last steps, and what does not."""

import copy
import math

import pytest
import torch
from problems import f64, generator, randn
from torch import nn

from ebmlab import FunctionEnergy
from ebmlab.energies import MLP
from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.negatives import Replay
from ebmlab.objectives import ImprovedCD
from ebmlab.objectives._densities.improved_cd import log_nearest
from ebmlab.samplers import MALA, Langevin

EPSILON = 0.2


def replay(size=6):
    return Replay(randn(size, 2, seed=4), MALA(0.1), steps=2, rebirth=0.3)


def by_hand(energy, y, through, weight, entropy):
    """The same loss of the same random numbers, with a copy of the network for what is fixed."""
    rng = generator()
    walk, _ = replay().advance(energy, None, y, rng)
    fixed = copy.deepcopy(energy).requires_grad_(False)
    end = walk.end
    for _ in range(through):
        leaf = end if end.requires_grad else end.clone().requires_grad_()
        (grad,) = torch.autograd.grad(energy(None, leaf).sum(), leaf, create_graph=True)
        push = Langevin(EPSILON).source(rng).normal(y)
        end = leaf - EPSILON * grad + math.sqrt(2 * EPSILON) * push
    apart = (end[:, None] - end).square().sum(-1) + torch.eye(len(y)) * 1e9
    spread = 0.5 * apart.min(1).values.log().mean()
    kl = fixed(None, end).mean() - entropy * 2 * spread
    contrast = energy(None, y).mean() - energy(None, end.detach()).mean()
    return contrast + weight * kl


@pytest.mark.parametrize("through", [1, 3])
@pytest.mark.parametrize(("weight", "entropy"), [(0.0, 1.0), (0.7, 0.0), (0.7, 1.3)])
def test_value_and_every_gradient_are_those_of_steps_unrolled_by_hand(through, weight, entropy):
    energy, y = MLP(2, hidden=(8,)).double(), randn(5, 2)
    objective = ImprovedCD(replay(), Langevin(EPSILON), through, weight, entropy)
    value = objective(energy, None, y, generator()).value
    due = by_hand(energy, y, through, weight, entropy)
    own = dict(energy.named_parameters())
    torch.testing.assert_close(value, due, rtol=1e-10, atol=1e-12)
    found = torch.autograd.grad(value, list(own.values()))
    for name, a, b in zip(own, found, torch.autograd.grad(due, list(own.values())), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12, msg=name)
    # A constant moves no chain, and the fixed energy passes no gradient to it.
    assert float(found[-1].abs().max()) < 1e-12
    plain = torch.autograd.grad(by_hand(energy, y, through, 0.0, 0.0), own["network.0.weight"])[0]
    assert torch.allclose(found[0], plain) == (weight == 0)


class Slope(nn.Module):
    """θᵀy, whose chains drift by -εθ a step."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(f64([0.5, -1.0]))

    def forward(self, y):
        return y @ self.theta


def test_steps_learn_to_go_where_the_energy_is_low():
    energy, y = Slope(), randn(5, 2)
    theta = energy.theta.detach()
    objective = ImprovedCD(replay(), Langevin(EPSILON), through=3, weight=2.0, entropy=0.0)
    loss = objective(FunctionEnergy(energy), None, y, generator())
    (found,) = torch.autograd.grad(loss.value, energy.theta)
    loss.commit()
    moved = objective.negatives
    end = moved.pool[moved.age > 0]
    torch.testing.assert_close(found, y.mean(0) - end.mean(0) - 2.0 * 3 * EPSILON * theta)


def test_entropy_drives_each_chain_from_its_nearest():
    points = f64([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [3.0, 4.0]]).requires_grad_()
    near = log_nearest(points)
    torch.testing.assert_close(near[:2], f64([3.0, 3.0]).log())
    (found,) = torch.autograd.grad(near.sum(), points)
    # Twice the direction over the distance: each is the other's nearest; coinciding ones stay.
    third = 2 / 3
    torch.testing.assert_close(found, f64([[-third, 0.0], [third, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    # Scaled by s, d log s more: the entropy of any law.
    y = randn(50, 3)
    torch.testing.assert_close(
        log_nearest(7 * y) - log_nearest(y), torch.full((50,), math.log(7)).double()
    )


def test_a_lone_chain_and_one_that_leaves_the_numbers_are_refused():
    energy = MLP(2, hidden=(4,)).double()
    objective = ImprovedCD(replay(), Langevin(0.1))
    with pytest.raises(ShapeError, match="batch of 1"):
        objective(energy, None, randn(1, 2), generator())
    steep = FunctionEnergy(lambda y: y.pow(4).sum(-1))
    with pytest.raises(NonFiniteError, match="last"):
        ImprovedCD(replay(), Langevin(1e20), through=4)(steep, None, randn(3, 2), generator())


def test_half_precision_moves_in_single():
    energy, y = MLP(2, hidden=(8,)), randn(5, 2).float()
    pool = Replay(randn(6, 2, seed=4).float(), MALA(0.1), steps=2)
    objective = ImprovedCD(pool, Langevin(0.1))
    loss = objective.bfloat16()(energy.bfloat16(), None, y.bfloat16(), generator())
    assert loss.value.dtype == torch.float32
    loss.value.backward()
    assert energy.network[0].weight.grad.isfinite().all()
