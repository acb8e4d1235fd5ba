"""Elliptical slices: exact draws stay exact, whatever Gaussian is split off, without gradients."""

import math

import pytest
import torch
from problems import (
    COVARIANCE_2,
    F64,
    PLANE,
    ROOT_MEAN,
    f64,
    fits,
    generator,
    has_mean,
    has_variance,
    log_gamma,
    log_gamma_cdf,
    log_gamma_draws,
    randn,
    root,
    root_cdf,
    root_draws,
)
from samplers_support import bowl
from torch import Tensor

from ebmlab.energies import Gaussian
from ebmlab.samplers import Dense, Diagonal, run
from ebmlab.samplers.elliptical import EllipticalSlice
from ebmlab.types import Potential

FACTOR = torch.linalg.cholesky(COVARIANCE_2)


class Twice(EllipticalSlice):
    """Forgets that the Gaussian is a part of u, and so counts it twice."""

    def step(self, u, state, rng):
        tilted = Potential(
            lambda y: u(y) + 0.5 * (self.prior.whiten(y - self.mean)).square().sum(1)
        )
        moved, info = super().step(tilted, state._replace(energy=tilted(state.y)), rng)
        return moved._replace(energy=u(moved.y)), info


TARGETS = {
    "skewed": (log_gamma, log_gamma_draws, log_gamma_cdf),
    "NaN below -1": (root, root_draws, root_cdf),
}
PRIORS = {
    "unit": EllipticalSlice(),
    "narrow, aside": EllipticalSlice(Diagonal(f64([0.5])), f64([0.3])),
    "wide": EllipticalSlice(Dense(f64([[2.0]])), -1.0),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("prior", PRIORS)
def test_exact_draws_stay_exact_with_any_gaussian(target, prior):
    u, draws, cdf = TARGETS[target]
    chain = run(PRIORS[prior], u, draws(5000, seed=5), steps=6, rng=generator(6))
    assert fits(chain.state.y[:, 0], cdf)
    assert (chain.info.shrinks > 0).double().mean() > 0.5


def test_a_gaussian_counted_twice_is_seen():
    chain = run(Twice(), log_gamma, log_gamma_draws(5000, seed=5), steps=6, rng=generator(6))
    assert not fits(chain.state.y[:, 0], log_gamma_cdf)
    wrong = run(Twice(), bowl, randn(5000, 2, seed=5), steps=8, rng=generator(6))
    # ‖y‖² instead of ½ ‖y‖²: half the variance.
    assert has_variance(wrong.state.y, 0.5)


@pytest.mark.parametrize("name", ["mixture", "banana"])
def test_plane_targets_keep_their_law(name):
    problem = PLANE[name]
    start = problem.density.sample(3000, generator(1)).double()
    sampler = EllipticalSlice(Dense(FACTOR), f64([0.2, 0.0]))
    chain = run(sampler, problem.density.given(), start, steps=5, rng=generator(2))
    assert problem.accepts(chain.state.y)
    wrong = run(sampler, problem.wrong.given(), start, steps=20, rng=generator(2))
    assert not problem.accepts(wrong.state.y)


def test_from_anywhere_a_gaussian_with_its_own_prior_is_drawn_at_once():
    # ℓ is constant: every first angle is accepted, and the ellipse's points are N(m, Σ) to come.
    density, mean = Gaussian(f64([0.5, -1.0]), COVARIANCE_2), f64([0.5, -1.0])
    sampler = EllipticalSlice(Dense(FACTOR), mean)
    start = f64([[9.0, 9.0]]).repeat(5000, 1)
    chain = run(sampler, density.given(), start, steps=30, rng=generator(3))
    assert torch.equal(chain.info.shrinks, torch.zeros(5000, dtype=F64))
    assert PLANE["gaussian"].accepts(chain.state.y)


def test_the_state_s_parts_agree():
    sampler = EllipticalSlice(Dense(FACTOR), f64([1.0, 2.0]))
    chain = run(sampler, log_gamma, randn(50, 2), steps=20, rng=generator(1))
    y, energy, whitened = chain.state
    torch.testing.assert_close(y, f64([1.0, 2.0]) + whitened @ FACTOR.mT)
    torch.testing.assert_close(energy, log_gamma(y))


def test_a_step_is_the_published_algorithm_written_out():
    y, sampler = log_gamma_draws(6, seed=1), EllipticalSlice()
    u = Potential(log_gamma)
    state = sampler.init(u, y, generator())
    after, info = sampler.step(u, state, generator(2))
    rng = generator(2)
    push, level = (torch.randn, torch.rand)
    nu = push(6, 1, generator=rng, dtype=F64)
    threshold = level(6, generator=rng, dtype=F64)
    angle = level(6, generator=rng, dtype=F64) * 2 * math.pi
    seed = torch.randint(2**63 - 1, (), generator=rng)
    rounds = torch.Generator().manual_seed(int(seed))
    shares = torch.stack([torch.rand(6, generator=rounds, dtype=F64) for _ in range(40)])

    def log_likelihood(y: Tensor) -> float:
        return float(-log_gamma(y[None]) + 0.5 * y.square().sum())

    for i in range(6):
        floor = log_likelihood(y[i]) + math.log(1 - threshold[i])
        theta = float(angle[i])
        low, high, refused = theta - 2 * math.pi, theta, 0
        while log_likelihood(y[i] * math.cos(theta) + nu[i] * math.sin(theta)) <= floor:
            low, high = (theta, high) if theta < 0 else (low, theta)
            theta = low + (high - low) * float(shares[refused, i])
            refused += 1
        torch.testing.assert_close(after.y[i], y[i] * math.cos(theta) + nu[i] * math.sin(theta))
        assert info.shrinks[i] == refused
    assert info.shrinks.sum() > 3


def test_evaluations_are_counted_and_no_gradient_is_asked_for():
    calls = []

    def silent(y: Tensor) -> Tensor:
        calls.append(len(y))
        return bowl(y.detach().round(decimals=6)) + (y.abs().sum(1) > 2)

    chain = run(EllipticalSlice(), silent, randn(1, 2), steps=50, rng=generator(1))
    # One at the start, then one more than was refused in each step.
    assert len(calls) == 1 + 50 + int(chain.info.shrinks)
    assert chain.info.shrinks > 5


def test_points_without_an_energy_are_refused_and_counted():
    counted = []

    def u(y: Tensor) -> Tensor:
        energy = root(y) + torch.where(y[:, 0] > 1, torch.inf, 0.0)
        counted.append(float((~energy.isfinite()).sum()))
        return energy

    start = root_draws(1, seed=1)
    chain = run(EllipticalSlice(), u, start, steps=300, rng=generator(2), thin=1)
    assert chain.info.nonfinite == sum(counted) > 20
    assert chain.energies.isfinite().all()
    assert ((chain.samples > -1) & (chain.samples <= 1)).all()


def test_the_mean_beside_an_edge_is_kept():
    chain = run(EllipticalSlice(), root, root_draws(5000, seed=4), steps=8, rng=generator(5))
    assert has_mean(chain.state.y, ROOT_MEAN, (120 / 256 - (6 / 16) ** 2) ** 0.5)


def test_a_chain_that_finds_nothing_stays():
    # No other point is as low as the start: the arc shrinks to it and the step ends.
    def needle(y: Tensor) -> Tensor:
        return bowl(y) + 1e9 * (y != 1.0).any(1)

    start = torch.ones(3, 2, dtype=F64)
    chain = run(EllipticalSlice(), needle, start, steps=3, rng=generator())
    torch.testing.assert_close(chain.state.y, start)
