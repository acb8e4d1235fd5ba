"""Hard targets with exact answers, under every Metropolis kernel of continuous y.

Chains are independent and the judge sees the last state of each, so that false-alarm rates are
exact: at most 2e-6 a test.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from problems import (
    F64,
    PLANE,
    RATE,
    ROOT_MEAN,
    ROOT_STD,
    fits,
    generator,
    has_mean,
    has_variance,
    points_of,
    randn,
    root,
    root_cdf,
    root_draws,
)
from samplers_support import bowl
from scipy import stats
from torch import Tensor

from ebmlab.energies import Funnel, Gaussian, GaussianMixture
from ebmlab.protocols import Sampler
from ebmlab.samplers import MALA, NUTS
from ebmlab.samplers._run.run import run
from ebmlab.samplers.chees import ChEESHMC
from ebmlab.samplers.hmc import HMC
from ebmlab.samplers.metric import IDENTITY, Dense, Metric

CHAINS = 4000


# Covariance Q diag(STD²) Qᵀ of condition number 1e4.
STD = torch.logspace(-1, 1, 6, dtype=F64)
AXES = torch.linalg.qr(randn(6, 6, seed=11)).Q
COVARIANCE = AXES @ STD.square().diag() @ AXES.mT
THIN = Gaussian(torch.zeros(6, dtype=F64), COVARIANCE)


def thin_enough(y: Tensor) -> bool:
    whitened = y @ AXES / STD
    return all(has_variance(axis, 1.0, RATE / 6) for axis in whitened.T)


ANGLES = torch.arange(8, dtype=F64) * (math.pi / 4)
EIGHT = GaussianMixture(2 * torch.stack([ANGLES.cos(), ANGLES.sin()], 1), 0.5)
AXIS = torch.linspace(-7, 7, 281, dtype=F64)
ENERGIES = EIGHT(None, points_of(AXIS, AXIS))
WEIGHTS = (-ENERGIES).softmax(0)
EIGHT_MEAN = float(WEIGHTS @ ENERGIES)
EIGHT_STD = float(WEIGHTS @ (ENERGIES - EIGHT_MEAN).square()) ** 0.5


def eight_alike(y: Tensor) -> bool:
    """Each mode has its eighth, and the mean energy is that of quadrature."""
    counts = torch.cdist(y, EIGHT.means).argmin(1).bincount(minlength=8)
    alike = bool(stats.chisquare(counts.numpy()).pvalue > RATE)
    return alike and has_mean(EIGHT(None, y), EIGHT_MEAN, EIGHT_STD)


FUNNEL = Funnel(dim=5)


def funnel_draws(n: int, seed: int) -> Tensor:
    noise = randn(n, 5, seed=seed)
    v = 3 * noise[:, :1]
    return torch.cat([v, (v / 2).exp() * noise[:, 1:]], 1)


def funneled(y: Tensor) -> bool:
    v, rest = y[:, :1], y[:, 1:]
    alike = ((-v / 2).exp() * rest).flatten()
    return fits(v[:, 0] / 3, stats.norm.cdf) and fits(alike, stats.norm.cdf)


# 4 standard errors of the mean: one false alarm in 16,000 seeds.
FOUR = 6.4e-5


def rooted(y: Tensor) -> bool:
    return has_mean(y, ROOT_MEAN, ROOT_STD, FOUR) and fits(y[:, 0], root_cdf)


@dataclass(frozen=True)
class Target:
    """A potential, where chains start, who judges where they end, a step size, and how long."""

    u: Callable[[Tensor], Tensor]
    start: Tensor
    judge: Callable[[Tensor], bool]
    step_size: float
    rounds: int
    metric: Metric = IDENTITY


TARGETS = {
    "condition number 1e4, from its center": Target(
        THIN.given(),
        torch.zeros(CHAINS, 6, dtype=F64),
        thin_enough,
        0.6,
        8,
        Dense(torch.linalg.cholesky(COVARIANCE)),
    ),
    "condition number 1e4, exact draws, no metric": Target(
        THIN.given(), (STD * randn(CHAINS, 6, seed=1)) @ AXES.mT, thin_enough, 0.15, 3
    ),
    "mixture of eight, from one mode": Target(
        EIGHT.given(), EIGHT.means[0].expand(CHAINS, 2), eight_alike, 0.7, 15
    ),
    "funnel, exact draws": Target(FUNNEL.given(), funnel_draws(CHAINS, seed=2), funneled, 0.3, 3),
    "banana, exact draws": Target(
        PLANE["banana"].density.given(),
        PLANE["banana"].density.sample(CHAINS, generator(3)).double(),
        PLANE["banana"].accepts,
        0.3,
        5,
    ),
    "an offset of 1e11": Target(
        lambda y: bowl(y) + 1e11,
        2 * randn(CHAINS, 2, seed=4),
        lambda y: has_variance(y, 1.0),
        1.0,
        10,
    ),
    "NaN below -1, exact draws": Target(root, root_draws(CHAINS, seed=5), rooted, 0.2, 30),
}

# A kernel of a leapfrog step size, and its transitions in a round: MALA's are one leapfrog step.
KERNELS: dict[str, tuple[Callable[[float, Metric], Sampler], int]] = {
    "MALA": (lambda step, metric: MALA(step**2 / 2, metric), 10),
    "HMC": (lambda step, metric: HMC(step, 4, metric), 2),
    "NUTS": (lambda step, metric: NUTS(step, metric, max_depth=6), 1),
    "ChEES-HMC": (lambda step, metric: ChEESHMC(step, 4, metric), 2),
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", TARGETS)
def test_a_hard_target_is_met(name, kernel):
    target, (build, transitions) = TARGETS[name], KERNELS[kernel]
    sampler = build(target.step_size, target.metric)
    chain = run(
        sampler, target.u, target.start, steps=transitions * target.rounds, rng=generator(6)
    )
    assert target.judge(chain.state.y)
    assert ((chain.state.y != target.start).any(1)).double().mean() > 0.6
    # Nothing was repaired: energies are those of u, and proposals without one were counted.
    torch.testing.assert_close(chain.state.energy, target.u(chain.state.y))
    assert (chain.info.nonfinite.sum() > 0) == (name in {"NaN below -1, exact draws"})


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_a_third_colder_is_told_apart(name):
    target = TARGETS[name]
    sampler = MALA(target.step_size**2 / 2, target.metric)
    chain = run(
        sampler,
        lambda y: 1.33 * target.u(y),
        target.start,
        steps=10 * target.rounds,
        rng=generator(6),
    )
    assert not target.judge(chain.state.y)


def test_chains_that_stayed_in_one_of_eight_modes_are_told_apart():
    assert eight_alike(EIGHT.sample(CHAINS, generator(8)))
    assert not eight_alike(EIGHT.means[0] + 0.5 * randn(CHAINS, 2, seed=8))


@pytest.mark.parametrize("kernel", ["MALA", "HMC", "NUTS"])
def test_with_one_metric_the_neck_of_a_funnel_is_not_reached_from_its_mouth(kernel):
    # What is exact in the limit may be far from it: the law is kept, and not found.
    build, transitions = KERNELS[kernel]
    start = torch.cat([torch.full((500, 1), 6.0, dtype=F64), randn(500, 4, seed=3)], 1)
    steps = 10 * transitions
    chain = run(build(0.3, IDENTITY), FUNNEL.given(), start, steps=steps, rng=generator(7))
    assert not funneled(chain.state.y)
