"""How chains come in: the curvature around each, its mean, and at what energies they rest."""

import pytest
import torch
from problems import F64, f64, generator, has_mean, randn
from torch import Tensor

from ebmlab.data.posteriors import LinearRegression
from ebmlab.metrics import rhat
from ebmlab.samplers import HMC, NUTS, ChEESHMC, Dense, Diagonal, run, warmup
from ebmlab.samplers._steps.start import begin
from ebmlab.samplers._steps.stragglers import near
from ebmlab.samplers._warmup.curvature import Local, bend, local, shared
from ebmlab.samplers._warmup.settling import come_in
from ebmlab.samplers._warmup.tuning import Tuning
from ebmlab.samplers.metric import Identity
from ebmlab.types import Potential

DIRECTIONS = torch.linalg.qr(randn(20, 20))[0]


def quadratic(curvatures: Tensor) -> Potential:
    """½ yᵀ H y, H of these eigenvalues along random directions of 20 or fewer dimensions."""
    dim = len(curvatures)
    directions = torch.linalg.qr(DIRECTIONS[:dim, :dim])[0]
    hessian = directions @ torch.diag(curvatures) @ directions.T
    return Potential(
        lambda y: 0.5 * (y * (y @ hessian)).sum(-1),
        lambda y: (0.5 * (y * (y @ hessian)).sum(-1), y @ hessian),
    )


def covariances(metric: Local) -> Tensor:
    return metric.factor @ metric.factor.mT


def test_curvature_is_found_however_ill_conditioned_and_counts_by_its_absolute_value():
    curvatures = f64([1e8, -1e4, 1.0, 0.1])
    u = quadratic(curvatures)
    state = begin(u, randn(3, 4))
    metric = local(Identity(), state.y)
    takes = torch.tensor([True, True, False])
    for _ in range(4):
        metric = bend(u, state, metric, takes, torch.ones_like(state.energy))
    found = torch.linalg.eigvalsh(torch.linalg.inv(covariances(metric)))
    exact = curvatures.abs().sort().values
    torch.testing.assert_close(found[:2], exact.expand(2, -1), rtol=1e-2, atol=0)
    torch.testing.assert_close(covariances(metric)[2], torch.eye(4, dtype=F64))


def test_where_the_gradient_breaks_down_a_metric_stays():
    u = Potential(lambda y: (y - 0.1 * y.sqrt()).sum(-1))  # NaN below 0
    state, takes = begin(u, f64([[1.0, 1.0], [1.0, 1e-9]])), torch.tensor([True, True])
    backwards = Local(-torch.eye(2, dtype=F64).expand(2, -1, -1))
    metric = bend(u, state, backwards, takes, torch.ones_like(state.energy))
    assert bool(metric.factor.isfinite().all())
    assert not torch.equal(metric.factor[0], backwards.factor[0])
    assert torch.equal(metric.factor[1], backwards.factor[1])


def test_a_local_metric_spreads_gathers_and_whitens():
    metric = Local(randn(5, 6, 6))
    v, g = randn(5, 2, 3, seed=1), randn(5, 2, 3, seed=2)
    left = (metric.spread(v) * g).flatten(1).sum(1)
    right = (v * metric.gather(g)).flatten(1).sum(1)
    torch.testing.assert_close(left, right)
    torch.testing.assert_close(metric.whiten(metric.spread(v)), v)


def test_the_shared_metric_is_the_geometric_mean_and_one_chain_does_not_decide():
    stds = f64([[1.0, 10.0], [4.0, 1000.0], [1e9, 1.0]])
    metric = Local(torch.diag_embed(stds))
    mean = shared(metric, torch.tensor([True, True, False]))
    torch.testing.assert_close(mean.factor, torch.diag(f64([2.0, 100.0])))
    factor = torch.linalg.qr(randn(6, 6))[0] * torch.logspace(-5, 5, 6, dtype=F64)
    many = factor.expand(64, -1, -1).clone()
    same = shared(Local(many), torch.ones(64, dtype=torch.bool)).factor
    assert torch.equal(same, same.tril())
    ratio = torch.linalg.solve(factor, same)
    torch.testing.assert_close(ratio @ ratio.T, torch.eye(6, dtype=F64), rtol=0, atol=1e-4)
    many[0] *= 1e-4
    less = torch.linalg.solve(factor, shared(Local(many), torch.ones(64) > 0).factor)
    assert torch.linalg.svdvals(less).min() > 0.8


def test_chains_come_to_rest_at_the_energies_of_the_target_and_not_below():
    u = quadratic(torch.logspace(-2, 6, 20, dtype=F64))
    start = begin(u, 4 * torch.rand(256, 20, dtype=F64, generator=generator()) - 2)
    metric = local(Identity(), start.y)
    end = come_in(u, start, metric, 50, generator(1), lambda _: None)
    # The energy of 20 standard normal numbers has mean 10 and variance 10.
    assert has_mean(end.state.energy, 10.0, 10.0**0.5)
    assert not has_mean(start.energy, 10.0, 10.0**0.5)
    assert not has_mean(end.state.energy, 8.5, 10.0**0.5)
    assert end.steps < 50


def test_a_metric_that_is_not_local_stays_and_all_steps_are_made():
    u, metric = quadratic(f64([1.0, 100.0])), Diagonal(f64([1.0, 0.1]))
    counted = []
    start = f64([1.0, 0.1]) * randn(4, 2)
    end = come_in(u, begin(u, start), metric, 7, generator(), counted.append)
    assert end.metric is metric
    assert end.steps == len(counted) == 7


YEARS = torch.arange(1950.0, 2012.0, dtype=F64)
TREND = 9.0 + 0.02 * (YEARS - 1981) + 1.1 * randn(62, seed=3)
# A line through temperatures over years that nobody centered: condition number about 1e12.
LINE = LinearRegression(
    torch.stack([torch.ones_like(YEARS), YEARS], -1), TREND, f64([9.0, 0.0]), f64([100.0, 0.1])
).given()


def samples(sampler, steps, metric=None):
    start = 4 * torch.rand(16, 3, dtype=F64, generator=generator(1)) - 2
    tuned, state = warmup(sampler, LINE, start, steps=steps, rng=generator(2), metric=metric)
    return run(tuned, LINE, state, steps=steps, rng=generator(3), thin=1).samples


@pytest.mark.parametrize("sampler", [ChEESHMC(), NUTS(0.1)], ids=["chees", "nuts"])
def test_a_nearly_singular_posterior_is_sampled_from_anywhere(sampler):
    assert rhat(samples(sampler, 250)).max() < 1.01


@pytest.mark.parametrize("fetches", [True, False])
def test_a_chain_that_falls_behind_is_fetched(fetches, monkeypatch):
    if not fetches:
        monkeypatch.setattr(Tuning, "_fetch", lambda self: None)
    sampler, start = HMC(0.1, 2, jitter=0.2), randn(16, 3)
    state, rng = sampler.init(LINE, start, generator()), generator(1)
    tuning = Tuning(sampler, LINE, state, rng, 0.8, lambda _: None)
    tuning.alone(50, Dense)
    tuning.state = begin(LINE, torch.cat([start[:1], tuning.state.y[1:]]))
    tuning.together([10, 10], Dense)
    assert near(tuning.state.energy, 3).tolist() == [fetches] + 15 * [True]


@pytest.mark.parametrize("stuck", [True, False])
def test_a_chain_that_is_stuck_is_moved_and_no_other(stuck):
    sampler, rng = HMC(0.1, 2), generator(1)
    state = sampler.init(LINE, samples(ChEESHMC(), 100)[-1], rng)
    tuning = Tuning(sampler, LINE, state, rng, 0.8, lambda _: None)
    tuning.bends, tuning.accepted[0] = True, 0.0 if stuck else 0.8
    tuning._fetch()
    moved = (tuning.state.y != state.y).any(-1)
    assert moved.tolist() == [stuck] + 15 * [False]


def test_without_curvature_and_correlations_it_is_not():
    assert rhat(samples(ChEESHMC(), 60, Diagonal)).max() > 1.1
