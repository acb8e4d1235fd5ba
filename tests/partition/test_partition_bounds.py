"""Which side of log Z an estimate is on: forward below, reverse above, in the mean."""

import pytest
from partition_support import MAKERS, repeated, target
from scipy import stats

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
