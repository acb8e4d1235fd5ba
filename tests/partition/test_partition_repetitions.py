"""Fifty repetitions of every sampled log Z: errors are as large as they say, and none is hidden.

The repetitions are independent chains of one run. With honest errors each misses by more than
three standard errors once in 370 times; `honest` judges the count, the mean and the spread.
"""

from functools import cache
from itertools import pairwise

import pytest
import torch
from partition_support import MAKERS, REPETITIONS, Target, honest, meets, repeated, target
from problems import F64, generator

from ebmlab.partition import Estimate
from ebmlab.partition.course import Course
from ebmlab.samplers import Langevin

EACH = {"gaussian": 80, "mixture": 80, "ellipse": 40, "machine": 80}
WAYS = {
    "forward": lambda name: target(name).forward(REPETITIONS * EACH[name], 1),
    "backward": lambda name: target(name).backward(REPETITIONS * EACH[name], 2),
    "sequential": lambda name: target(name).sequential(
        REPETITIONS * 24, EACH[name] // 10, 3, target(name).steps // 5
    ),
}


@cache
def estimated(way: str, name: str) -> Estimate:
    return WAYS[way](name)


def agrees(estimate: Estimate, exact: float) -> bool:
    return honest(*repeated(estimate), exact)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MAKERS)
def test_estimates_miss_by_what_their_standard_errors_say(name, way):
    estimate = estimated(way, name)
    assert agrees(estimate, target(name).log_z)
    assert meets(estimate, target(name).log_z)


def test_errors_that_are_too_small_or_too_large_are_seen():
    log_z, error = repeated(estimated("forward", "gaussian"))
    exact = target("gaussian").log_z
    assert honest(log_z, error, exact)
    assert not honest(log_z, error / 2, exact)
    assert not honest(log_z, error * 3, exact)


def annealed(case: Target, chains: int, *, late=False, unfinished=False, kernel=None) -> Estimate:
    """`ais` written out; `late` weighs points after their move, `unfinished` stops one short."""
    rng = generator(1)
    way = kernel or case.kernel, case.times(), 1, case.options.get("between")
    course = Course.of(case.u, case.start, *way)
    log_w, times = torch.zeros(chains, dtype=F64), course.times
    state = course.at(0.0).enter(case.start.sample(chains, rng), rng)
    for before, t in pairwise(times[:-1]):
        here, weighed = course.at(t).reweigh(state, log_w)
        state = course.at(t).move(here, rng)
        if late:
            as_before, _ = course.at(before).reweigh(state, log_w)
            state, weighed = course.at(t).reweigh(as_before, log_w)
        log_w = weighed
    if not unfinished:
        log_w = course.at(1.0).reweigh(state, log_w)[1]
    return Estimate.from_weights(log_w + case.start.log_z)


def test_the_chains_written_out_are_those_of_ais():
    with torch.no_grad():
        written = annealed(target("gaussian"), REPETITIONS * EACH["gaussian"])
    assert torch.equal(written.log_weights, estimated("forward", "gaussian").log_weights)


@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_weighing_after_the_move_is_seen(name):
    case = target(name)
    with torch.no_grad():
        wrong = annealed(case, REPETITIONS * EACH[name], late=True)
    assert not agrees(wrong, case.log_z)


@pytest.mark.parametrize("name", ["ellipse", "machine"])
def test_a_missing_increment_is_seen(name):
    case = target(name)
    with torch.no_grad():
        wrong = annealed(case, REPETITIONS * EACH[name], unfinished=True)
    assert not agrees(wrong, case.log_z)


def test_a_kernel_that_leaves_the_laws_not_invariant_is_seen():
    case = target("gaussian")
    with torch.no_grad():
        wrong = annealed(case, REPETITIONS * 80, kernel=Langevin(0.3))
    assert not agrees(wrong, case.log_z)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("name", MAKERS)
def test_the_rate_of_failures_is_right_over_many_repetitions(name, way):
    estimate = getattr(target(name), way)(200 * 100, 11, 2 * target(name).steps)
    assert honest(*repeated(estimate, 200), target(name).log_z)
    assert meets(estimate, target(name).log_z)
