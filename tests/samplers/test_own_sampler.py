"""A sampler of the user's own, written after the protocol, wherever a sampler goes."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
import torch
from problems import F64, generator, has_variance, randn
from samplers_support import bowl
from torch import Tensor, nn

from ebmlab.energies import MLP, RBM, Gaussian, Reconstruction
from ebmlab.errors import ConfigurationError, DtypeError
from ebmlab.inference import Sampled
from ebmlab.negatives import FromData, Replay
from ebmlab.samplers import (
    MALA,
    NUTS,
    Annealed,
    EllipticalSlice,
    Gibbs,
    Heated,
    Langevin,
    ParallelTempering,
    Tunable,
    linear,
    run,
    warmup,
)
from ebmlab.samplers.kernel import as_kernel
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.types import Info, State


@dataclasses.dataclass(frozen=True)
class Own:
    """Random-walk Metropolis, without gradients: no more than the protocol asks for."""

    width: float = 1.0

    def init(self, u, y, rng):
        return State(y.detach(), u(y).detach(), torch.zeros_like(y))

    def step(self, u, state, rng):
        y = state.y + self.width * torch.randn(state.y.shape, generator=rng, dtype=state.y.dtype)
        energy = u(y).detach()
        ratio = (state.energy - energy).exp().clamp(max=1)
        takes = torch.rand(len(y), generator=rng, dtype=y.dtype) < ratio
        y = torch.where(takes[:, None], y, state.y)
        return State(y, torch.where(takes, energy, state.energy), state.grad), Info(ratio)


PAIR = (1.0, 3.0)
# sampler -> variance of a standard normal
EVERYWHERE = {
    "alone": (Own(), 1.0),
    "heated": (Heated(Own(2.0), 3.0), 3.0),
    "annealed": (Annealed(Own(), linear(2.0, 2.0, 2)), 2.0),
    "annealed, made": (Annealed(lambda t: Own(), linear(2.0, 2.0, 2)), 2.0),
    "tempered": (ParallelTempering(Own(), PAIR), 1.0),
    "tempered, made": (ParallelTempering(Own, PAIR), 1.0),
    "no-U-turn, tempered": (ParallelTempering(NUTS(0.8, max_depth=3), PAIR), 1.0),
    "elliptical, heated": (Heated(EllipticalSlice(), 3.0), 3.0),
    "tempered, of annealed": (ParallelTempering(Annealed(MALA(0.8), linear(1, 1, 2)), PAIR), 1.0),
    "heated, of tempered": (Heated(ParallelTempering(MALA(0.8), PAIR), 2.0), 2.0),
}


@pytest.mark.parametrize("name", EVERYWHERE)
def test_tempering_and_annealing_take_any_sampler(name):
    sampler, variance = EVERYWHERE[name]
    start = variance**0.5 * randn(5000, 2)
    chain = run(sampler, bowl, start, steps=10, rng=generator(1))
    assert has_variance(chain.state.y, variance)
    assert not has_variance(chain.state.y, 1.2 * variance)
    assert (chain.state.y != start).double().mean() > 0.8


def test_a_sampler_at_temperature_one_is_itself():
    for sampler in (Own(), NUTS(0.5), EllipticalSlice()):
        plain, warm = (
            run(s, bowl, randn(5, 2), steps=5, rng=generator(1)).state.y
            for s in (sampler, Heated(sampler, 1.0))
        )
        assert torch.equal(plain, warm)


def test_hot_nested_states_are_swapped_in_the_units_of_u():
    sampler = EVERYWHERE["tempered, of annealed"][0]
    state = run(sampler, bowl, 2 * randn(200, 2), steps=5, rng=generator()).state
    for replica in state.replicas:
        torch.testing.assert_close(replica.energy, bowl(replica.y))
        torch.testing.assert_close(replica.inner.energy, bowl(replica.y))
        torch.testing.assert_close(replica.inner.grad, replica.y)


def test_negatives_and_inference_take_it():
    energy, y, rng = MLP(2, hidden=(4,)), torch.zeros(4, 2), generator()
    for negatives in (FromData(Own(), 3), Replay(torch.zeros(8, 2), Own(), 3)):
        assert negatives(energy, None, y, rng).energies.shape == (4, 1)
    prior = Gaussian(torch.zeros(1), torch.eye(1))
    infer = Sampled(Own(), steps=3, chains=5, prior=prior)
    decoder = Reconstruction(nn.Linear(1, 2), takes_x=False)
    assert infer(decoder, None, y, 1.0, rng=rng).atoms.shape == (5, 4, 1)


@dataclasses.dataclass(frozen=True)
class Tuned(Tunable, Own):
    """The same walk, which says how it is tuned."""

    target_acceptance = 0.4
    step_size: float | Tensor = 0.1
    metric: Metric = IDENTITY

    def step(self, u, state, rng):
        scale = self.metric.spread(torch.ones_like(state.y[:1]))
        return Own(self.step_size * scale).step(u, state, rng)


def test_warm_up_tunes_what_says_how():
    std = torch.tensor([1.0, 100.0], dtype=F64)
    options = {"steps": 300, "rng": generator(1), "metric": None}
    tuned, state = warmup(Tuned(), lambda y: bowl(y / std), randn(64, 2), **options)
    assert isinstance(tuned, Tuned)
    chain = run(tuned, lambda y: bowl(y / std), state, steps=50, rng=generator(2))
    assert abs(float(chain.acceptance.mean()) - 0.4) < 0.07


@pytest.mark.parametrize(
    ("sampler", "lacks"),
    [
        (Own(), "step_size, metric, target_acceptance, learner"),
        (Langevin(0.1), "it lacks target_acceptance, learner"),
        (ParallelTempering(MALA(0.1), PAIR), "step_size, metric"),
    ],
)
def test_warm_up_names_what_a_sampler_lacks(sampler, lacks):
    with pytest.raises(ConfigurationError, match=lacks):
        warmup(sampler, bowl, randn(4, 2), steps=50, rng=generator())


class Bare(NamedTuple):
    y: Tensor


class Nameless(Own):
    def init(self, u, y, rng):
        return Bare(y)


class Tuples(Own):
    def init(self, u, y, rng):
        return tuple(super().init(u, y, rng))


class Silent(Own):
    def step(self, u, state, rng):
        return super().step(u, state, rng)[0], None


@pytest.mark.parametrize(
    ("sampler", "told"),
    [
        (Nameless(), r"Nameless.init is a Bare without energy; return an ebmlab\.types\.State"),
        (Tuples(), "Tuples.init is a tuple without y and energy"),
        (Silent(), "the info of Silent.step is a NoneType without acceptance"),
        (MALA, r"no sampler.*init\(u, y, rng\)"),
        ("mala", "'mala' is no sampler"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: Heated(s, 2.0)], ids=["", "heated"])
def test_what_a_sampler_must_return_is_named(sampler, told, wrap):
    with pytest.raises(ConfigurationError, match=told):
        run(wrap(sampler), bowl, randn(4, 2), steps=2, rng=generator())


@pytest.mark.parametrize("call", [run, warmup])
def test_what_cannot_be_run_is_named(call):
    y, normal = randn(4, 2), Gaussian(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))
    with pytest.raises(ConfigurationError, match=r"draws random numbers: pass rng=torch\.Gen"):
        call(MALA(0.1), bowl, y, steps=50)
    for u in (normal, 3.0):
        with pytest.raises(
            ConfigurationError, match=r"pass energy\.given\(x\), or|a function \(n, "
        ):
            call(MALA(0.1), u, y, steps=50, rng=generator())
    for start in (np.zeros((4, 2)), [[0.0, 0.0]], None):
        with pytest.raises(DtypeError, match=r"torch\.as_tensor\(y\)"):
            call(MALA(0.1), bowl, start, steps=50, rng=generator())
    call(MALA(0.1), normal.given(), y, steps=50, rng=generator())


def test_what_is_no_sampler_is_not_tempered():
    for wrong in ("mala", None, lambda t: "mala"):
        with pytest.raises(ConfigurationError, match="is no sampler"):
            ParallelTempering(wrong, PAIR)


class Looked(Gibbs):
    """A kernel with a step of its own, which tells how often it was taken."""

    steps = 0

    def step(self, u, state, rng):
        Looked.steps += 1
        return super().step(u, state, rng)


def test_a_kernel_with_its_own_step_is_taken_whole_and_keeps_what_it_knows():
    rbm = RBM(5, 3)
    plain, own = Gibbs(rbm.conditionals()), Looked(rbm.conditionals())
    start = (randn(6, 5) > 0).float()
    chains = [run(s, rbm.given(), start, steps=20, rng=generator(1)).state.y for s in (plain, own)]
    assert torch.equal(*chains)
    assert Looked.steps == 20
    taken, other = as_kernel(own), RBM(5, 3, std=0.5).given()
    assert taken is not own
    state = plain.init(rbm.given(), start, generator())
    torch.testing.assert_close(taken.under(other, state), plain.under(other, state))
    torch.testing.assert_close(taken.under(other, state).energy, other(start).detach())
