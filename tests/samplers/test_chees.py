"""The trajectory length that warm-up learns, and that nothing but the length was learned."""

import dataclasses
import math

import pytest
import torch
from problems import (
    F64,
    f64,
    fits,
    generator,
    has_variance,
    log_gamma,
    log_gamma_cdf,
    log_gamma_draws,
    randn,
)
from samplers_support import bowl
from test_hmc import Kineticless

from ebmlab.samplers import HMC, ChEESHMC, Diagonal, run, warmup
from ebmlab.samplers.chees import Scout
from ebmlab.samplers.metric import Identity
from ebmlab.types import Potential


def plain(y):
    """½ ‖y‖² with its gradient written by hand."""
    return bowl(y), y


BOWL = Potential(bowl, plain)


def test_its_transition_is_that_of_hmc():
    ours = run(ChEESHMC(0.4, 3, jitter=0.3), BOWL, randn(8, 3), steps=5, rng=generator())
    same = run(HMC(0.4, 3, jitter=0.3), BOWL, randn(8, 3), steps=5, rng=generator())
    assert torch.equal(ours.state.y, same.state.y)


def test_being_watched_changes_no_transition():
    hmc = HMC(0.7, 3, Diagonal(f64([1.0, 2.0])), jitter=0.3)
    state = hmc.init(BOWL, randn(8, 2), generator())
    alone = hmc.step(BOWL, state, generator(1))
    watched = Scout(hmc, f64([0.0, 0.0]), f64([1.0, 1.0])).step(BOWL, state, generator(1))
    assert torch.equal(alone[0].y, watched[0].y)
    assert torch.equal(alone[1].acceptance, watched[1].acceptance)


def test_the_slope_is_the_derivative_of_the_gain():
    # In steps so small that the integrator is exact, length and step size scale alike.
    u, mean, weight = Potential(log_gamma_pair), f64([0.3, 0.1]), f64([1.0, 0.2])
    hmc = HMC(1e-2, 100, Diagonal(f64([1.0, 1.5])), jitter=0.2)
    state = hmc.init(u, randn(50, 2), generator())
    noise = hmc.draw(state, hmc.source(generator(1)))

    def gain(factor):
        scaled = dataclasses.replace(hmc, step_size=1e-2 * factor)
        return Scout(scaled, mean, weight).move(u, state, noise)[1]

    step = 1e-4
    numeric = (gain(math.exp(step)).gain - gain(math.exp(-step)).gain) / (2 * step)
    here = gain(1.0)
    assert here.acceptance.min() > 0.99
    torch.testing.assert_close(here.slope, numeric, rtol=1e-2, atol=1e-2)


def log_gamma_pair(y):
    return (y.exp() - 2 * y).sum(-1) + 0.1 * (y[:, 0] - y[:, 1]).square()


@pytest.mark.parametrize(("chains", "slack"), [(64, 0.25), (8, 0.5)])
def test_on_an_isotropic_gaussian_a_trajectory_is_a_quarter_turn(chains, slack):
    # Σ y² is forgotten at once after a quarter turn, T = π/2; a price of 0.1 pulls T little.
    std = 5.0
    u = Potential(lambda y: bowl(y / std), lambda y: (bowl(y / std), y / std**2))
    tuned, _ = warmup(
        ChEESHMC(0.5), u, randn(chains, 20), steps=500, rng=generator(1), metric=Identity
    )
    length = tuned.step_size * tuned.leapfrog_steps
    assert abs(math.log(length / (std * math.pi / 2))) < slack


def test_what_follows_is_exact_and_forgets_means_and_squares():
    scales = f64([0.01, 1.0, 100.0])
    u = Potential(lambda y: bowl(y / scales), lambda y: (bowl(y / scales), y / scales**2))
    tuned, state = warmup(ChEESHMC(), u, randn(64, 3), steps=300, rng=generator(1))
    assert 1 <= tuned.leapfrog_steps <= 4
    assert isinstance(tuned.leapfrog_steps, int)
    chain = run(tuned, u, state.y.repeat(200, 1), steps=20, rng=generator(2))
    for part in (chain.state.y / scales).T:
        assert has_variance(part, 1.0)
        assert not has_variance(part, 1.1)
    assert chain.acceptance.mean() > 0.7
    start = scales * randn(5000, 3, seed=3)
    after = run(tuned, u, start, steps=2, rng=generator(4)).state.y
    for power in (1, 2):
        both = torch.stack([(start / scales).pow(power), (after / scales).pow(power)])
        for pair in both.unbind(-1):
            assert abs(float(torch.corrcoef(pair)[0, 1])) < 0.3


def test_exact_draws_stay_exact_under_the_tuned_kernel_and_not_under_a_broken_one():
    tuned, _ = warmup(
        ChEESHMC(), log_gamma, log_gamma_draws(64, seed=1), steps=200, rng=generator(2)
    )
    start = log_gamma_draws(20_000, seed=5)
    chain = run(tuned, log_gamma, start, steps=20, rng=generator(6))
    assert fits(chain.state.y[:, 0], log_gamma_cdf)
    fields = {f.name: getattr(tuned, f.name) for f in dataclasses.fields(tuned)}
    broken = run(Kineticless(**fields), log_gamma, start, steps=20, rng=generator(6))
    assert not fits(broken.state.y[:, 0], log_gamma_cdf)


def test_chains_that_start_at_one_point_learn_too():
    tuned, state = warmup(
        ChEESHMC(), BOWL, torch.zeros(16, 2, dtype=F64), steps=200, rng=generator(1)
    )
    assert 0.5 < tuned.step_size * tuned.leapfrog_steps < 4
    assert torch.all(state.y.isfinite())
