"""Step sizes from acceptances, and metrics from pooled moments."""

import pytest
import torch
from problems import F64, f64, generator, randn

from ebmlab.samplers import Dense, Diagonal, Identity
from ebmlab.samplers.adaptation import DualAveraging, first_guess
from ebmlab.samplers.moments import Moments


def test_dual_averaging_meets_its_target_for_each_chain_under_noise():
    rng, decay = generator(), f64([0.01, 1.0, 300.0])
    averaging = DualAveraging(torch.ones(3, dtype=F64), 0.7)
    for _ in range(3000):
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
        moments = Moments(draws[0], kind)
        for y in draws:
            moments.see(y)
        flat = draws.reshape(-1, 6)
        torch.testing.assert_close(moments.mean, flat.mean(0))
        torch.testing.assert_close(moments.variance, flat.var(0))


def learned(draws, kind):
    moments = Moments(draws[0], kind)
    for y in draws:
        moments.see(y)
    return moments.metric(torch.full((draws[0, 0].numel(),), 7.0, dtype=F64))[0]


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
        covariance = covariance_of(learned(draws, kind), draws[0, 0])
        torch.testing.assert_close(covariance[1, 1], f64(49.0))
        assert float(covariance[0, 1]) == 0
        assert float(covariance[0, 0]) == pytest.approx(1, abs=0.3)


def test_copies_of_a_coordinate_break_nothing():
    draws = randn(50, 4, 1).repeat(1, 1, 3) * f64([1.0, 10.0, -1.0])
    covariance = covariance_of(learned(draws, Dense), draws[0, 0])
    assert float(covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt()) > 0.99
