"""The energy score against the CRPS of a Gaussian, a double sum, and the law of y itself."""

import math

import pytest
import torch
from problems import F64, randn
from scipy import stats

from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics import energy_score


def crps(mean, std, y):
    z = (y - mean) / std
    near = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi)
    return std * near


@pytest.mark.parametrize("k", [2, 5])
def test_it_is_the_crps_of_a_gaussian_without_bias_in_k(k):
    y, mean, std, n = 0.4, 1.0, 0.7, 20_000
    found = energy_score(mean + std * randn(k, n, 1), torch.full((n, 1), y, dtype=F64))
    error = float(found.std()) / math.sqrt(n)
    # A normal mean within 5 standard errors: false alarms 6e-7.
    assert abs(float(found.mean()) - crps(mean, std, y)) < 5 * error
    # The same with each draw's distance to itself counted, as a sum over all pairs has it.
    biased = float(found.mean()) + std / math.sqrt(math.pi) / k
    assert abs(biased - crps(mean, std, y)) > 5 * error


@pytest.mark.parametrize("each", [False, True])
def test_weighted_atoms_are_a_law_of_their_own(each):
    draws, truth = randn(4, 6, 3, 2), randn(6, 3, 2, seed=1)
    weights = randn(4, 6, seed=2).softmax(0) if each else randn(4, seed=2).softmax(0)
    share = weights if each else weights[:, None].expand(4, 6)
    flat, aim = draws.flatten(2), truth.flatten(1)
    between = (flat[:, None] - flat[None]).norm(dim=-1)
    due = (share * (flat - aim).norm(dim=-1)).sum(0)
    due = due - 0.5 * (share[:, None] * share[None] * between).sum((0, 1))
    torch.testing.assert_close(energy_score(draws, truth, weights=weights), due)
    point = energy_score(draws[:1], truth, weights=torch.ones(1))
    torch.testing.assert_close(point, (flat[0] - aim).norm(dim=-1))


@pytest.mark.parametrize(("shift", "width"), [(0.4, 1.0), (0.0, 0.6), (0.0, 1.6)])
def test_nothing_beats_the_law_of_y(shift, width):
    n = 4000
    truth, draws = randn(n, 5), randn(8, n, 5, seed=1)
    gain = energy_score(shift + width * draws, truth) - energy_score(draws, truth)
    # Paired, normal: false alarms 3e-7.
    assert float(gain.mean()) > 5 * float(gain.std()) / math.sqrt(n)


@pytest.mark.parametrize(
    ("draws", "weights", "error", "told"),
    [
        (torch.zeros(3, 4, 2), None, ShapeError, r"truth \(5, 2\)"),
        (torch.zeros(1, 5, 2), None, ConfigurationError, "hold one for each datum"),
        (torch.full((2, 5, 2), torch.nan), None, NonFiniteError, "draws"),
        (torch.zeros(2, 5, 2), torch.ones(2), ConfigurationError, "sum to 2"),
        (torch.zeros(2, 5, 2), torch.ones(3) / 3, ShapeError, "weights"),
    ],
)
def test_what_is_no_set_of_answers_is_refused(draws, weights, error, told):
    with pytest.raises(error, match=told):
        energy_score(draws, torch.zeros(5, 2), weights=weights)
