import math

import pytest
import torch
from laws_support import (
    Y2,
    net,
    numbered,
)
from torch import nn

from ebmlab.errors import ConfigurationError
from ebmlab.samplers import Langevin
from ebmlab.testing import check_sampler
from ebmlab.types import Info, State


class Kernel:
    """Sound Langevin dynamics at ε = 0.2, whose result `change` breaks."""

    def __init__(self, change=None, noise=1.0):
        self.change, self.noise, self.calls = change, noise, 0

    def init(self, u, y, rng):
        return State(y.detach(), *u.value_and_grad(y))

    def step(self, u, state, rng):
        xi = torch.randn(state.y.shape, generator=rng, dtype=state.y.dtype)
        y = state.y - 0.2 * state.grad + self.noise * math.sqrt(0.4) * xi
        moved, info = State(y, *u.value_and_grad(y)), Info(torch.ones(len(y)))
        return (moved, info) if self.change is None else self.change(self, u, state, moved, info)


def at(u, y):
    return State(y, *u.value_and_grad(y))


def hidden(kernel):
    kernel.calls += 1
    return kernel.calls


def accepting(value):
    return lambda k, u, old, new, info: (new, Info(value(info.acceptance)))


# (the law, change(kernel, u, old state, new state, info))
BROKEN_STEPS = [
    ("rows on their own", lambda k, u, old, new, i: (at(u, new.y.flip(0)), i)),
    ("rows on their own", lambda k, u, old, new, i: (at(u, new.y - old.y.mean(0)), i)),
    ("rows on their own", lambda k, u, old, new, i: (at(u, new.y.sort(0).values), i)),
    ("input untouched", lambda k, u, old, new, i: (old.y.add_(1.0), (new, i))[1]),
    ("input untouched", lambda k, u, old, new, i: (old.grad.mul_(2.0), (new, i))[1]),
    ("global generator", lambda k, u, old, new, i: (at(u, new.y + torch.rand(())), i)),
    ("same generator, same chain", lambda k, u, old, new, i: (at(u, new.y + hidden(k)), i)),
    ("no gradient left", lambda k, u, old, new, i: (u(new.y).sum().backward(), (new, i))[1]),
    ("state: y was", lambda k, u, old, new, i: (new._replace(y=new.y.double() + 0), i)),
    ("state: y was", lambda k, u, old, new, i: (at(u, new.y[1:]), i)),
    ("state: its energy", lambda k, u, old, new, i: (new._replace(energy=old.energy), i)),
    ("state: its gradient", lambda k, u, old, new, i: (new._replace(grad=old.grad), i)),
    ("state: y carries", lambda k, u, old, new, i: (new._replace(y=u(new.y)[:, None] + new.y), i)),
    ("acceptance", accepting(lambda a: 2 * a)),
    ("acceptance", accepting(lambda a: -a)),
    ("acceptance", accepting(lambda a: a * torch.nan)),
    ("acceptance", accepting(lambda a: a.mean())),
]


@pytest.mark.parametrize(("law", "change"), numbered(BROKEN_STEPS))
def test_a_broken_step_is_refused(law, change):
    with pytest.raises(AssertionError, match=law):
        check_sampler(Kernel(change), events=((2,),))


class Jumping(Kernel):
    def init(self, u, y, rng):
        return at(u, y + 1.0)


def test_an_init_that_moves_is_refused():
    with pytest.raises(AssertionError, match="init"):
        check_sampler(Jumping(), events=((2,),))


@pytest.mark.parametrize(
    ("law", "sampler", "variance"),
    [
        ("expected variance", Kernel(noise=math.sqrt(0.5)), 1 / 0.9),
        ("expected variance", Kernel(noise=1.1), 1 / 0.9),
        ("expected variance", Langevin(0.2), 1.0),
        ("expected mean", Kernel(lambda k, u, old, new, i: (at(u, new.y + 0.02), i)), 1 / 0.9),
        ("no chain ever moved", Kernel(lambda k, u, old, new, i: (old, i)), 1.0),
    ],
)
def test_a_kernel_of_another_law_is_refused(law, sampler, variance):
    with pytest.raises(AssertionError, match=law):
        check_sampler(sampler, events=((2,),), stationary=True, variance=variance)


def test_a_sound_kernel_passes_and_leaves_its_start():
    y, u = Y2.clone(), nn.Sequential(net(2, 1), nn.Flatten(0))
    check_sampler(Kernel(), stationary=True, variance=1 / 0.9)
    check_sampler(Kernel(), u, y)
    assert torch.equal(y, Y2)
    assert all(p.grad is None for p in u.parameters())


def test_coupled_chains_pass_where_declared():
    swarm = Kernel(lambda k, u, old, new, i: (at(u, new.y - old.y.mean(0)), i))
    check_sampler(swarm, events=((2,),), coupled=True)


def test_a_potential_without_a_start_is_refused():
    with pytest.raises(ConfigurationError, match="belong together"):
        check_sampler(Kernel(), lambda y: y.sum(-1))
