"""Two players on two ranks under DDP are those of one process."""

import pytest
import torch
from ranks_support import RANKS, on_two_ranks
from torch.nn.functional import softplus
from torch.nn.parallel import DistributedDataParallel

from ebmlab.energies import Autoencoder
from ebmlab.losses import Levels, logistic
from ebmlab.networks import MLP, Generator
from ebmlab.objectives import Adversarial, Cooperative, Fooling, GradientPenalty, Repelled
from ebmlab.protocols import Method
from ebmlab.samplers import Langevin

N, STEPS = 8, 2
Y = torch.randn(N, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
Z = torch.randn(N, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


class Dealt(Generator):
    """z of a table, of which each rank has its rows."""

    def __init__(self, network, rows):
        super().__init__(network, 3)
        self.rows = rows

    def noise(self, n, rng):
        return self.rows


class Still(Langevin):
    """Descent without noise, which is the same for each row wherever it is."""

    def draw(self, state, source):
        return torch.zeros_like(state.y)


GAMES = {
    "GAN": lambda critic: Fooling(logistic, softplus),
    "EBGAN": lambda critic: Repelled(Fooling(Levels(0.0, 2.0)), critic.encoder, 0.5),
    "cooperative": lambda critic: Cooperative(Still(0.05), 2),
}


def method(name, rows):
    torch.manual_seed(0)
    critic = Autoencoder(MLP(2, 3, (4,)), MLP(3, 2, (4,)))
    generator = Dealt(MLP(3, 2, (4,)), rows)
    objective = Adversarial(generator, GAMES[name](critic)) + 0.1 * GradientPenalty()
    return Method(critic, objective).double()


def trained(module, y):
    """The gradients of each of a few steps; both players step."""
    optimizer, found = torch.optim.SGD(module.parameters(), lr=0.1), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = module(None, y, torch.Generator())
        loss.value.backward()
        found.append([p.grad.clone() for p in module.parameters()])
        optimizer.step()
        loss.commit()
    return found


def on_rank(rank):
    y, z = (t.chunk(RANKS)[rank] for t in (Y, Z))
    how = {"broadcast_buffers": False, "find_unused_parameters": True}
    return {name: trained(DistributedDataParallel(method(name, z), **how), y) for name in GAMES}


@pytest.fixture(scope="module")
def both():
    return on_two_ranks(on_rank)


@pytest.mark.parametrize("name", GAMES)
def test_two_ranks_are_one_process(both, name):
    alone = trained(method(name, Z), Y)
    for rank in both:
        for due, got in zip(alone, rank[name], strict=True):
            for a, b in zip(due, got, strict=True):
                torch.testing.assert_close(b, a)


def test_fakes_of_one_rank_alone_would_be_pulled_apart_otherwise():
    halves = [
        trained(method("EBGAN", z), y)[0] for y, z in zip(Y.chunk(2), Z.chunk(2), strict=True)
    ]
    alone = trained(method("EBGAN", Z), Y)[0]
    mean = [torch.stack(pair).mean(0) for pair in zip(*halves, strict=True)]
    assert any(not torch.allclose(a, b) for a, b in zip(mean, alone, strict=True))
