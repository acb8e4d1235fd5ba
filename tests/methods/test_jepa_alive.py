"""A JEPA's z on digits that hidden actions turn: by default it is the action; else it dies."""

import pytest
import torch
from problems import generator
from torch import nn
from torch.nn.functional import one_hot, pad

from ebmlab import data, fit, methods, metrics
from ebmlab.networks import MLP, Conditional
from ebmlab.prediction import Exhaustive, plan
from ebmlab.regularizers import VICReg
from ebmlab.training import falling_cosine

DIM, SIDE = 32, 12


def trained(world, **more):
    moves = world.moves(20_000, generator(1))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        f = nn.Sequential(nn.Flatten(), MLP(SIDE**2, DIM, (128, 128)))
        method = methods.jepa(f, DIM, 3, x_ndim=3, **more)
    schedule = {"lr": 4e-3, "schedule": falling_cosine}
    pairs = (moves.x, moves.y)
    fit(method, pairs, steps=1000, batch_size=128, rng=generator(1), **schedule)
    return method.eval()


def share(method, world):
    """Nats of z that are the action's, and the action that each z stands for."""
    x, y, action, _ = world.moves(2000, generator(2))
    z = metrics.assignments(method.energy, x, y).argmax(1)
    table = one_hot(z, 3).float().T @ one_hot(action, 3).float()
    return metrics.mutual_information(z, action, rng=generator(3)).nats, table.argmax(1)


@torch.no_grad()
def planned(method, world, action):
    """How often four z of lowest energy lead to the very angle; 0.097 by chance."""
    start = world.start(200, generator(4))
    goal = world.play(start, world.act(800, generator(5)).unflatten(0, (200, 4)))[:, -1]
    way = plan(method, world.render(start), world.render(goal), Exhaustive(), 4)
    end = world.play(start, action[way.z.argmax(-1)])[:, -1]
    return float((end == goal).all(1).float().mean())


@pytest.mark.slow
def test_z_is_the_hidden_action_by_default_and_dies_under_vicreg_alone():
    world = data.worlds.TurningDigits(pad(data.digits()[0], (2, 2, 2, 2)))
    alive = trained(world)
    nats, action = share(alive, world)
    assert nats > 1.06
    assert planned(alive, world, action) > 0.9
    network = Conditional(MLP(DIM + 3, DIM, (128,)))
    dead = trained(world, predictor=network, regularizer=VICReg())
    assert share(dead, world)[0] < 0.1
