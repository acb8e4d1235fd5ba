"""`Estimate`: means, errors and sizes from weights, written out."""

import itertools
import math

import pytest
import torch
from problems import F64, f64, randn

from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.partition import Estimate


def test_log_mean_error_and_size_are_those_of_the_weights():
    log_w = 0.7 * randn(40, seed=1)
    w = log_w.exp()
    estimate = Estimate.from_weights(log_w)
    torch.testing.assert_close(estimate.log_z, w.mean().log())
    torch.testing.assert_close(estimate.standard_error, w.std() / 40**0.5 / w.mean())
    torch.testing.assert_close(estimate.effective_sample_size, w.sum().square() / w.square().sum())
    assert estimate.bound == "lower"
    assert torch.equal(estimate.log_weights, log_w)


def test_weights_of_the_inverse_give_minus_the_log():
    log_w = 0.7 * randn(40, seed=1)
    one, other = Estimate.from_weights(log_w), Estimate.from_inverse_weights(log_w)
    assert torch.equal(other.log_z, -one.log_z)
    assert torch.equal(other.standard_error, one.standard_error)
    assert other.bound == "upper"


def test_huge_weights_neither_overflow_nor_lose_their_error():
    log_w = 0.3 * randn(40, seed=2)
    one, far = Estimate.from_weights(log_w), Estimate.from_weights(log_w + 1e4)
    torch.testing.assert_close(far.log_z - 1e4, one.log_z, rtol=0, atol=1e-10)
    torch.testing.assert_close(far.standard_error, one.standard_error, rtol=1e-9, atol=0)


def test_single_precision_weights_are_summed_in_double():
    assert Estimate.from_weights(randn(9).float()).log_z.dtype == F64


def test_dead_chains_count_as_weights_of_zero():
    estimate = Estimate.from_weights(f64([0.0, -math.inf]))
    assert float(estimate.log_z) == pytest.approx(-math.log(2))
    assert float(estimate.effective_sample_size) == pytest.approx(1)


def test_an_exact_sum_has_no_error():
    estimate = Estimate.exact(f64(2.0))
    assert (float(estimate.standard_error), estimate.bound) == (0.0, "exact")
    assert estimate.effective_sample_size.isinf()
    assert estimate.log_weights is None


def test_weights_that_say_nothing_are_refused():
    with pytest.raises(ShapeError, match="two or more"):
        Estimate.from_weights(torch.zeros(1))
    with pytest.raises(ShapeError, match=r"\(1, 2\)"):
        Estimate.from_inverse_weights(torch.zeros(1, 2))
    for wrong in (math.nan, math.inf):
        with pytest.raises(NonFiniteError, match="cover the target"):
            Estimate.from_weights(f64([0.0, wrong]))
    with pytest.raises(NonFiniteError, match="-inf"):
        Estimate.from_weights(f64([-math.inf, -math.inf]))


def test_weights_of_a_batch_are_estimates_side_by_side():
    log_w = 2 * randn(40, 3, 2)
    for make in (Estimate.from_weights, Estimate.from_inverse_weights):
        batch = make(log_w)
        for i, j in itertools.product(range(3), range(2)):
            alone = make(log_w[:, i, j])
            for part in ("log_z", "standard_error", "effective_sample_size"):
                torch.testing.assert_close(getattr(batch, part)[i, j], getattr(alone, part))
    with pytest.raises(NonFiniteError, match="nan"):
        Estimate.from_weights(torch.where(log_w == log_w[0, 1, 1], torch.nan, log_w))
