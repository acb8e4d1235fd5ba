"""Step sizes from acceptances, and metrics from pooled moments."""

import pytest
import torch
from problems import F64, f64, generator, randn

from ebmlab.samplers import Dense, Diagonal
from ebmlab.samplers._steps.stragglers import near
from ebmlab.samplers._warmup.adaptation import DualAveraging, first_guess
from ebmlab.samplers._warmup.moments import Moments
from ebmlab.samplers.metric import Identity


def test_dual_averaging_meets_its_target_for_each_chain_under_noise():
    rng, decay = generator(), f64([0.01, 1.0, 300.0])
    averaging = DualAveraging(torch.ones(3, dtype=F64), 0.7)
    for _ in range(1200):
        clean = (-decay * averaging.step_size).exp()
        noise = 0.1 * torch.randn(3, generator=rng, dtype=F64)
        averaging.see((clean + noise).clamp(0, 1))
    reached = (-decay * averaging.average).exp()
    torch.testing.assert_close(reached, torch.full_like(reached, 0.7), atol=0.03, rtol=0)


def test_the_first_guess_brackets_one_half_from_both_sides():
    scale = f64([1e-9, 1.0, 1e9])
    guess = first_guess(lambda step: (-step / scale).exp(), torch.ones(3, dtype=F64))
    assert torch.all((-guess / scale).exp() > 0.5)
    assert torch.all((-2 * guess / scale).exp() <= 0.5)


def test_moments_of_batches_are_those_of_all_draws():
    draws = 1e6 + randn(30, 4, 2, 3) @ randn(3, 3, seed=1)
    for kind in (Dense, Diagonal):
        moments = Moments(draws[0], kind, Identity())
        for y in draws:
            moments.see(y, torch.ones(4))
        torch.testing.assert_close(moments.variance, draws.reshape(-1, 6).var(0))


def learned(draws, kind, base=None, weight=None):
    moments = Moments(draws[0], kind, base or Identity())
    for y in draws:
        moments.see(y, torch.ones(len(y)) if weight is None else weight)
    return moments.metric()


def covariance_of(metric, like):
    basis = torch.eye(like.numel(), dtype=like.dtype).reshape(-1, *like.shape)
    factor = metric.spread(basis).reshape(len(basis), -1)
    return factor.mT @ factor


def test_a_dense_metric_is_the_covariance_and_a_diagonal_one_its_diagonal():
    draws = randn(500, 20, 3) @ f64([[1.0, 0.5, 0.0], [0.0, 1.0, 0.9], [0.0, 0.0, 0.1]])
    exact = draws.reshape(-1, 3).T.cov()
    dense = covariance_of(learned(draws, Dense), draws[0, 0])
    torch.testing.assert_close(dense, exact, rtol=1e-6, atol=1e-6)
    diagonal = covariance_of(learned(draws, Diagonal), draws[0, 0])
    torch.testing.assert_close(diagonal, torch.diag(exact.diagonal()))
    assert isinstance(learned(draws, Identity), Identity)


def test_shrinkage_knows_no_units():
    units = f64([1e-6, 1.0, 1e6])
    draws = randn(5, 4, 3) @ randn(3, 3, seed=1)
    plain = covariance_of(learned(draws, Dense), draws[0, 0])
    again = learned(draws, Dense, Diagonal(units))
    torch.testing.assert_close(covariance_of(again, draws[0, 0]), plain, rtol=1e-6, atol=0)
    scaled = covariance_of(learned(draws * units, Dense), draws[0, 0])
    torch.testing.assert_close(scaled / (units[:, None] * units), plain, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_fewer_draws_than_dimensions_leave_every_direction_its_room(dtype):
    draws = randn(10, 4, 60).to(dtype)
    eigenvalues = torch.linalg.eigvalsh(covariance_of(learned(draws, Dense), draws[0, 0]))
    assert eigenvalues.min() > 0.2
    assert eigenvalues.max() < 3


def test_a_coordinate_that_never_moved_keeps_its_scale():
    draws = randn(50, 4, 3)
    draws[..., 1] = 5.0
    for kind in (Dense, Diagonal):
        metric = learned(draws, kind, Diagonal(f64([1.0, 7.0, 1.0])))
        covariance = covariance_of(metric, draws[0, 0])
        torch.testing.assert_close(covariance[1, 1], f64(49.0))
        assert float(covariance[0, 1]) == 0
        assert float(covariance[0, 0]) == pytest.approx(1, abs=0.3)


def test_copies_of_a_coordinate_break_nothing():
    draws = randn(50, 4, 1).repeat(1, 1, 3) * f64([1.0, 10.0, -1.0])
    covariance = covariance_of(learned(draws, Dense), draws[0, 0])
    assert float(covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt()) > 0.99


def test_a_metric_known_before_is_what_correlations_shrink_to():
    exact = f64([[1.0, 0.9999], [0.9999, 1.0]])
    factor = torch.linalg.cholesky(exact)
    few = randn(2, 4, 2) @ factor.T
    relative = [
        torch.linalg.eigvals(torch.linalg.inv(exact) @ covariance_of(metric, few[0, 0])).real
        for metric in (learned(few, Dense, Dense(factor)), learned(few, Dense))
    ]
    assert relative[0].max() < 3
    assert relative[1].max() > 100


def test_a_dense_metric_known_before_is_no_hindrance_to_a_diagonal_one():
    draws = randn(200, 20, 3)
    base = Dense(torch.linalg.cholesky(f64([[4.0, 1, 0], [1, 4, 1], [0, 1, 4]])))
    covariance = covariance_of(learned(draws, Diagonal, base), draws[0, 0])
    torch.testing.assert_close(covariance, torch.diag(draws.reshape(-1, 3).var(0)))


def test_a_straggler_does_not_inflate_the_metric():
    draws = randn(50, 64, 3)
    draws[:, 7] += 200.0
    takes = near(0.5 * draws[0].square().sum(-1), 3)
    assert takes.sum() == 63
    robust = covariance_of(learned(draws, Dense, weight=takes), draws[0, 0])
    naive = covariance_of(learned(draws, Dense), draws[0, 0])
    assert torch.linalg.eigvalsh(robust).max() < 1.2
    assert torch.linalg.eigvalsh(naive).max() > 100


def test_hardly_a_draw_of_a_gaussian_is_taken_for_a_straggler_in_any_dimension():
    for dim in (1, 10, 100):
        energy = 0.5 * randn(20_000, dim).square().sum(-1) + 1e11
        assert near(energy, dim).double().mean() > 0.999
        assert not bool(near(torch.cat([energy, energy[:1] + 5 * dim + 30]), dim)[-1])
