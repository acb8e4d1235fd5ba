"""Ranks and deviations of codes against closed forms and other implementations."""

import math

import numpy as np
import pytest
import torch
from metrics_support import randn
from scipy import stats

from ebmlab.errors import DtypeError, NonFiniteError, ShapeError
from ebmlab.metrics import code_std, effective_rank, rankme


def _with_singular_values(values, n=40, d=8):
    """Centered codes (n, d) with the given singular values."""
    raw = randn(n, len(values))
    left, _ = torch.linalg.qr(raw - raw.mean(0))
    right, _ = torch.linalg.qr(randn(d, len(values), seed=1))
    return left @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right.mT


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [3.0, 1.0], [5.0, 0.5, 0.1, 0.1]])
def test_effective_rank_is_the_perplexity_of_the_centered_singular_values(values):
    codes = _with_singular_values(values)
    perplexity = math.exp(stats.entropy(values))
    for moved in (codes, 1e-9 * codes, codes + 100.0):
        assert effective_rank(moved) == pytest.approx(perplexity, rel=1e-6)


def test_rankme_counts_a_shift_as_a_direction_and_effective_rank_does_not():
    codes = _with_singular_values([1.0, 1.0])
    assert rankme(codes) == pytest.approx(2, rel=1e-4)
    away = codes + 1000.0
    assert rankme(away) == pytest.approx(1, abs=0.01)
    assert effective_rank(away) == pytest.approx(2, rel=1e-6)


def test_rankme_is_the_published_formula():
    codes = randn(50, 12)
    values = np.linalg.svd(codes.numpy(), compute_uv=False)
    p = values / np.abs(values).sum() + 1e-7
    assert rankme(codes) == pytest.approx(math.exp(-(p * np.log(p)).sum()), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_collapsed_population_has_rank_one_and_no_spread(dtype):
    constant = torch.full((100, 16), 0.1).to(dtype) + torch.arange(16).to(dtype)
    assert effective_rank(constant) == 1.0
    assert rankme(constant) == pytest.approx(1, abs=1e-4)
    assert code_std(constant) == pytest.approx(0, abs=1e-6)
    rounded = constant.clone()
    rounded[::7, ::2] = torch.nextafter(rounded[::7, ::2], torch.zeros((), dtype=dtype))
    assert effective_rank(rounded) == 1.0
    zero = torch.zeros(5, 3, dtype=dtype)
    assert (effective_rank(zero), rankme(zero), code_std(zero)) == (1.0, 1.0, 0.0)


def test_variation_above_the_rounding_is_no_collapse():
    codes = 1 + 0.1 * randn(400, 256, dtype=torch.float32)
    assert effective_rank(codes.bfloat16()) == pytest.approx(effective_rank(codes), rel=0.01)
    codes[:, 1:] = 5.0
    codes[:, 2] = torch.linspace(-1, 1, 400)
    assert 1.2 < effective_rank(codes) <= 2


def test_the_spread_is_computed_in_float32_for_half_precision():
    codes = (8 + randn(4000, 4, dtype=torch.float32)).bfloat16()
    exact = codes.double().numpy().std(axis=0, ddof=1).mean()
    assert code_std(codes) == pytest.approx(exact, rel=1e-5)
    assert codes.std(0).mean().item() != pytest.approx(exact, rel=1e-5)


def test_populations_that_have_no_spread_to_speak_of_are_refused():
    for metric in (effective_rank, code_std):
        with pytest.raises(ShapeError, match="n >= 2"):
            metric(torch.ones(1, 4))
    assert rankme(torch.ones(1, 4)) == pytest.approx(1, abs=1e-4)
    for metric in (effective_rank, code_std, rankme):
        with pytest.raises(ShapeError, match=r"\(4,\)"):
            metric(torch.ones(4))
        with pytest.raises(DtypeError, match="int64"):
            metric(torch.ones(4, 4, dtype=torch.int64))
        with pytest.raises(NonFiniteError, match="NaN"):
            metric(torch.full((4, 4), torch.nan))
