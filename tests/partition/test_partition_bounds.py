"""Which side of log Z an estimate is on: forward below, reverse above, in the mean."""

import math

import pytest
from partition_support import MAKERS, repeated, target
from problems import f64, generator
from scipy import stats

from ebmlab.errors import ConfigurationError
from ebmlab.partition import Estimate, Sandwich, sandwich

RUNS = 400
STEPS = {"gaussian": 6, "mixture": 8, "ellipse": 4, "machine": 8}


def gap(estimate, exact):
    """How far the mean over runs of two chains lies above log Z, in its standard errors."""
    log_z, _ = repeated(estimate, RUNS)
    return float((log_z.mean() - exact) / (log_z.std() / RUNS**0.5))


@pytest.mark.parametrize("name", MAKERS)
def test_forward_lies_below_and_reverse_above_in_the_mean(name):
    case = target(name)
    below = case.forward(2 * RUNS, 5, STEPS[name])
    above = case.backward(2 * RUNS, 6, STEPS[name])
    assert (below.bound, above.bound) == ("lower", "upper")
    # So few temperatures leave gaps that a reversed sign could not pass.
    beyond = float(stats.norm.isf(1e-4))
    assert gap(below, case.log_z) < -beyond
    assert gap(above, case.log_z) > beyond


@pytest.mark.parametrize("name", ["gaussian", "machine"])
def test_more_temperatures_close_the_gap(name):
    case = target(name)
    gaps = [
        float(repeated(run(2 * RUNS, 7, steps), RUNS)[0].mean() - case.log_z)
        for run in (case.forward, case.backward)
        for steps in (3, 60)
    ]
    assert gaps[0] < 4 * gaps[1] < 0
    assert gaps[2] > 4 * gaps[3] > 0


@pytest.mark.parametrize("name", ["gaussian", "machine"])
def test_a_sandwich_is_both_ways_and_its_interval_holds_log_z(name):
    case = target(name)
    draws = case.draw(RUNS, generator(1))
    both = sandwich(
        case.u,
        draws,
        case.start,
        case.kernel,
        times=case.times(4),
        rng=generator(2),
        **case.options,
    )
    assert (both.lower.bound, both.upper.bound) == ("lower", "upper")
    assert len(both.lower.log_weights) == len(both.upper.log_weights) == RUNS
    assert both.gap == both.upper.log_z - both.lower.log_z
    low, high = both.interval(0.9)
    assert low < case.log_z < high
    assert float(both.lower.log_z - low) == pytest.approx(math.log(20))
    assert float(high - both.upper.log_z) == pytest.approx(math.log(20))


@pytest.mark.parametrize("seed", [0, 1])
def test_markov_s_bound_holds_for_single_weights_and_without_slack_it_would_not(seed):
    case = target("gaussian")
    weights = case.forward(4000, seed, 1).log_weights
    above = (weights > case.log_z + 1).double().mean()
    # P <= e⁻¹; five standard errors of 4000 are 0.04.
    assert above < math.exp(-1) + 0.04
    assert (weights > case.log_z).double().mean() > 0.01


def test_a_confidence_of_one_is_refused():
    both = Estimate.exact(f64(1.0))
    with pytest.raises(ConfigurationError, match="confidence is 1"):
        Sandwich(both, both).interval(1)
