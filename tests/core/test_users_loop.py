import copy
import math

import pytest
import torch
from problems import generator, randn
from torch import nn

from ebmlab import FunctionEnergy, Loss, Method
from ebmlab.energies import MLP, JointEmbedding, SquaredDistance, Uniform
from ebmlab.errors import ConfigurationError
from ebmlab.losses import InfoNCE, difference, logistic
from ebmlab.negatives import Noise, Replay
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.protocols import Objective
from ebmlab.regularizers import VICReg
from ebmlab.samplers import Langevin
from ebmlab.teachers import EMA


def test_a_method_is_its_objective_of_its_energy_and_encodes_with_its_encoder():
    encoder = nn.Linear(4, 3).double()
    energy = JointEmbedding(encoder, head=SquaredDistance())
    objective = Regularized(VICReg())
    method = Method(energy, objective, encoder=encoder)
    x, y = randn(6, 4), randn(6, 4, seed=1)
    torch.testing.assert_close(method(x, y).value, objective(energy, x, y).value)
    assert torch.equal(method.encode(y), encoder(y))
    assert len(list(method.parameters())) == 2
    with pytest.raises(ConfigurationError, match="encoder"):
        Method(energy, objective).encode(y)


def _train(method: Method, steps: int) -> list[Loss]:
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    rng, losses = generator(1), []
    for _ in range(steps):
        angle = 2 * math.pi * torch.rand(128, generator=rng)
        y = torch.stack([angle.cos(), angle.sin()], dim=1)
        loss = method(None, y + 0.1 * torch.randn(128, 2, generator=rng), rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
        losses.append(loss)
    return losses


BOX = Uniform(torch.tensor([-2.0, -2.0]), torch.tensor([2.0, 2.0]))


@pytest.mark.parametrize(
    "objective",
    [
        Contrastive(InfoNCE(), Noise(BOX, k=8)),
        Contrastive(logistic, Noise(BOX, k=8)),
        DenoisingScore(0.3),
    ],
)
def test_a_users_loop_trains_an_energy_whose_ring_is_lower_than_its_hole(objective):
    method = Method(MLP(2, hidden=(32, 32)), objective)
    losses = _train(method, 150)
    first = torch.stack([loss.value.detach() for loss in losses[:10]]).mean()
    last = torch.stack([loss.value.detach() for loss in losses[-10:]]).mean()
    assert last < 0.8 * first
    on, off = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.8, 1.8]])
    assert method.energy(None, on).max() < method.energy(None, off).min()


def test_commit_in_a_users_loop_moves_replay_and_the_energy_learns():
    replay = Replay(BOX.sample(500, generator()), Langevin(0.01), steps=10, rebirth=0.0)
    regularizer = FunctionEnergy(lambda y: 0.1 * y.square().sum(-1))
    method = Method(MLP(2, hidden=(32,)) + regularizer, Contrastive(difference, replay))
    assert "objective.negatives.pool" in method.state_dict()
    losses = _train(method, 60)
    assert int(replay.age.sum()) == 60 * 128 * 10
    assert losses[0].metrics["age"] == 0
    assert losses[-1].metrics["age"] == pytest.approx(59 * 128 * 10 / 500)
    assert method.energy(None, torch.tensor([[1.0, 0.0]])) < method.energy(
        None, torch.tensor([[1.9, 1.9]])
    )


def test_a_copied_method_trains_like_its_original():
    replay = Replay(BOX.sample(200, generator()), Langevin(0.01), steps=2, rebirth=0.1)
    method = Method(MLP(2, hidden=(8,)), Contrastive(difference, replay))
    twin = copy.deepcopy(method)
    one, other = _train(method, 5), _train(twin, 5)
    assert [a.value.tolist() for a in one] == [b.value.tolist() for b in other]
    for a, b in zip(method.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_forward_alone_changes_no_state():
    student = nn.Linear(4, 3).double()
    energy = JointEmbedding(student, EMA(student), SquaredDistance())
    replay = Replay(torch.zeros(10, 3).double(), Langevin(0.1), steps=2)
    objective: Objective = Contrastive(difference, replay) + Regularized(VICReg())
    method = Method(energy, objective)
    before = copy.deepcopy(method.state_dict())
    loss = method(randn(5, 4), randn(5, 4, seed=1), generator())
    loss.value.backward()
    assert all(torch.equal(v, before[name]) for name, v in method.state_dict().items())
    loss.commit()
    changed = {n for n, v in method.state_dict().items() if not torch.equal(v, before[n])}
    assert {"energy.target.clock", "objective.parts.0.negatives.pool"} <= changed
