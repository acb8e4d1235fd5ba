import math

import pytest
import torch
from laws_support import Y2, net, numbered
from torch import nn

from ebmlab._rows import select
from ebmlab.errors import ConfigurationError
from ebmlab.samplers import MALA, Langevin
from ebmlab.samplers._steps.start import begin
from ebmlab.testing import check_sampler
from ebmlab.types import Info, Potential, State


class Kernel:
    """Sound Langevin dynamics at ε = 0.2, whose result `change` breaks."""

    def __init__(self, change=None, noise=1.0):
        self.change, self.noise, self.calls = change, noise, 0

    def init(self, u, y, rng):
        return begin(u, y)

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
        return begin(u, y + 1.0)


class Trusting(Kernel):
    """Starts anywhere."""

    def init(self, u, y, rng):
        return at(u, y.detach())


class Blind(Kernel):
    """Looks at energies only."""

    def init(self, u, y, rng):
        begin(Potential(u, lambda y: (u(y).detach(), torch.zeros_like(y))), y)
        return at(u, y.detach())


class Spoiled(MALA):
    """A sound MALA that sees proposals otherwise than they are."""

    def move(self, u, state, noise):
        seen = Potential(u, lambda y: self.seen(*u.value_and_grad(y)))
        return super().move(seen, state, noise)


class Vanishing(MALA):
    """Divides densities, which are 0 where energies are high."""

    def move(self, u, state, noise):
        moved, info = super().move(u, state, noise)
        return select((-state.energy).exp() > 0, moved, state), info


class Mending(Spoiled):
    """Takes NaN for 0."""

    def seen(self, energy, grad):
        return energy.nan_to_num(0.0, neginf=-torch.inf), grad.nan_to_num(0.0)


class Proud(MALA):
    """Rejects what is not finite, and does not say so."""

    def move(self, u, state, noise):
        moved, info = super().move(u, state, noise)
        return moved, Info(info.acceptance)


class Careful(Spoiled):
    """Rejects -∞ as if it were +∞, so that a bottomless energy goes unnoticed."""

    def seen(self, energy, grad):
        return torch.where(energy.isneginf(), torch.inf, energy), grad


class Doubling(MALA):
    """Computes in float64, whatever arrives."""

    def move(self, u, state, noise):
        moved, info = super().move(u, state, noise)
        wide = isinstance(u.origin, Potential) and state.y.dtype == torch.float32
        return (State(*(part.double() for part in moved)) if wide else moved), info


@pytest.mark.parametrize(
    ("law", "sampler"),
    [
        ("init", Jumping()),
        ("bad start", Trusting()),
        ("bad start", Blind()),
        ("offset", Vanishing(0.5)),
        ("NaN on the way: a point", Mending(0.5)),
        ("NaN on the way: proposals", Proud(0.5)),
        ("-∞ on the way", Careful(0.5)),
        ("half precision", Doubling(0.5)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Kernel | MALA) else value,
)
def test_a_sampler_that_breaks_a_law_is_refused(law, sampler):
    with pytest.raises(AssertionError, match=law):
        check_sampler(sampler, events=((2,),))


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
