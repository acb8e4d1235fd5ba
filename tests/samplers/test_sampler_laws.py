"""Stationary laws known in closed form; a wrong acceptance or noise is seen.

Chains are independent and many: the judge sees one state of each, so that its false-alarm rate is
exact (`problems.RATE`). A chain started from exact draws must keep their law at every step.
"""

import dataclasses
import math

import pytest
import torch
from problems import (
    F64,
    PLANE,
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
from samplers_support import KERNELS, bowl
from torch import Tensor, distributions

from ebmlab.energies import Gaussian
from ebmlab.samplers import MALA, Langevin, run
from ebmlab.types import Potential, State


@dataclasses.dataclass(frozen=True)
class Uncorrected(MALA):
    """A faulty MALA that forgets the density of its proposal."""

    def step(self, u: Potential, state: State, rng: torch.Generator):
        moved, info = Langevin(self.step_size).step(u, state, rng)
        threshold = torch.rand(state.energy.shape, generator=rng, dtype=F64)
        accept = threshold < (state.energy - moved.energy).exp()
        kept = State(
            torch.where(accept[:, None], moved.y, state.y),
            torch.where(accept, moved.energy, state.energy),
            torch.where(accept[:, None], moved.grad, state.grad),
        )
        return kept, info


TARGETS = {
    "skewed": (log_gamma, log_gamma_draws, log_gamma_cdf, 0.5),
    "NaN below -1": (root, root_draws, root_cdf, 0.05),
}


@pytest.mark.parametrize("name", TARGETS)
def test_mala_keeps_exact_draws_exact(name):
    u, draws, cdf, step_size = TARGETS[name]
    start = draws(20_000, seed=5)
    assert fits(start[:, 0], cdf)
    for steps in (1, 30):
        chain = run(MALA(step_size), u, start, steps=steps, rng=generator(6))
        assert fits(chain.state.y[:, 0], cdf)
    assert 0.2 < chain.acceptance.mean() < 0.98


def test_a_wrong_acceptance_is_seen():
    start = log_gamma_draws(20_000, seed=5)
    for wrong in (Uncorrected(0.5), Langevin(0.5)):
        chain = run(wrong, log_gamma, start, steps=30, rng=generator(6))
        assert not fits(chain.state.y[:, 0], log_gamma_cdf)


def test_mala_samples_a_correlated_gaussian_and_a_wrong_acceptance_does_not():
    problem = PLANE["gaussian"]
    u, start = problem.density.given(), torch.zeros(20_000, 2, dtype=F64)
    right = run(MALA(0.25), u, start, steps=150, rng=generator(7))
    assert problem.accepts(right.state.y)
    wrong = run(Uncorrected(0.25), u, start, steps=150, rng=generator(7))
    assert not problem.accepts(wrong.state.y)


def test_the_acceptance_equals_metropolis_hastings_with_normal_proposals():
    step_size, start = 0.7, log_gamma_draws(5000, seed=8).repeat(1, 2)
    u = Potential(log_gamma)
    state = MALA(step_size).init(u, start, generator())
    after, info = MALA(step_size).step(u, state, generator(9))

    def proposal(y: Tensor) -> distributions.Normal:
        slope = y.exp() - 2
        return distributions.Normal(y - step_size * slope, math.sqrt(2 * step_size))

    # A chain that moved shows its proposal.
    moved = (after.y != start).any(1)
    y, back = start[moved], after.y[moved]
    log_ratio = log_gamma(y) - log_gamma(back)
    log_ratio += (proposal(back).log_prob(y) - proposal(y).log_prob(back)).sum(1)
    torch.testing.assert_close(info.acceptance[moved], log_ratio.exp().clamp(max=1))
    assert (info.acceptance[moved] < 0.9).sum() > 100
    assert torch.equal(after.y[~moved], start[~moved])
    # Moves happen with the probabilities reported: their excess has a known variance.
    p = info.acceptance
    excess = (moved.double() - p).sum() / (p * (1 - p)).sum().sqrt()
    assert has_mean(excess, 0.0, 1.0)
    torch.testing.assert_close((after.energy, after.grad), (log_gamma(after.y), after.y.exp() - 2))


def test_langevin_without_temperature_is_gradient_descent():
    y = randn(5, 3)
    chain = run(Langevin(0.1, 0.0), lambda y: y.pow(4).sum(1), y, steps=20, rng=generator())
    for _ in range(20):
        y = y - 0.1 * 4 * y**3
    torch.testing.assert_close(chain.state.y, y)


def test_noise_names_its_temperature():
    assert Langevin.from_noise(10.0, 0.005).temperature == pytest.approx(1.25e-6)
    assert Langevin.from_noise(1.0, 0.01).temperature == pytest.approx(5e-5)
    # y - ε ∇u + N(0, s²): one step from the minimum has standard deviation s.
    chain = run(
        Langevin.from_noise(0.2, 0.3),
        bowl,
        torch.zeros(20_000, 1, dtype=F64),
        steps=1,
        rng=generator(1),
    )
    assert has_variance(chain.state.y, 0.09)
    assert not has_variance(chain.state.y, 0.09 * 1.1)


def test_a_tempered_energy_is_sampled_at_its_temperature():
    density = Gaussian(f64([0.0]), f64([[1.0]]))
    chain = run(
        MALA(1.0), (density / 3.0).given(), randn(20_000, 1, seed=1), steps=80, rng=generator(2)
    )
    assert has_variance(chain.state.y, 3.0)


def test_a_hand_written_gradient_is_used():
    class Written(Potential):
        def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return bowl(y).detach(), y.detach()

    silent = Written(lambda y: bowl(y.detach()))
    for sampler in KERNELS.values():
        ours = run(sampler, silent, randn(4, 2), steps=10, rng=generator())
        plain = run(sampler, bowl, randn(4, 2), steps=10, rng=generator())
        torch.testing.assert_close(ours.state.y, plain.state.y)
