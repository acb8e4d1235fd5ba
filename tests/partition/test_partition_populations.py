"""Populations: resampling keeps means, and costs no bias."""

import dataclasses
import math

import pytest
import torch
from partition_support import meets, target, wide
from problems import F64, PLANE, f64, generator, randn

from ebmlab.energies import Uniform
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.partition import ais, populations, smc
from ebmlab.partition.populations import systematic
from ebmlab.samplers import MALA
from ebmlab.types import Potential

TWO = f64([0.0, 1.0])


def test_systematic_resampling_takes_the_whole_part_or_one_more():
    log_w = 1.5 * randn(300, 20, seed=1)
    ancestors = systematic(log_w, generator(2))
    counts = torch.nn.functional.one_hot(ancestors, 20).sum(1)
    due = 20 * log_w.softmax(1)
    assert bool(((counts >= due.floor() - 1e-9) & (counts <= due.ceil() + 1e-9)).all())


def test_systematic_resampling_is_right_on_average():
    log_w = f64([0.0, -1.0, -3.0]).expand(40_000, 3)
    ancestors = systematic(log_w, generator(3))
    mean = torch.nn.functional.one_hot(ancestors, 3).double().sum(1).mean(0)
    # A count is one of two neighbors, so its deviation is at most a half; six of the mean's.
    assert (mean - 3 * log_w[0].softmax(0)).abs().max() < 6 * 0.5 / 200


def test_dead_particles_leave_no_descendants():
    log_w = f64([[-math.inf, 0.0, -math.inf, 0.0]])
    assert set(systematic(log_w, generator()).flatten().tolist()) == {1, 3}


def test_one_step_is_the_mean_of_each_population():
    start, u = wide(3.0), PLANE["gaussian"].density.given()
    options = {"times": TWO, "rng": generator(1)}
    plain = ais(u, start, MALA(0.1), chains=60, **options)
    options["rng"] = generator(1)
    grouped = smc(u, start, MALA(0.1), particles=10, populations=6, **options)
    due = plain.log_weights.reshape(6, 10).logsumexp(1) - math.log(10)
    torch.testing.assert_close(grouped.log_weights, due)
    torch.testing.assert_close(grouped.log_z, plain.log_z)
    assert grouped.bound == "lower"


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_estimates_are_right_however_often_particles_are_replaced(threshold):
    case = target("gaussian")
    case = dataclasses.replace(case, options={"threshold": threshold})
    estimate = case.sequential(600, 8, 5, 8)
    assert meets(estimate, case.log_z)
    assert not meets(estimate, case.log_z + 0.2)


def test_thresholds_are_heeded():
    case = target("gaussian")
    runs = [
        dataclasses.replace(case, options={"threshold": share}).sequential(20, 8, 5, 8)
        for share in (0.0, 0.5, 1.0)
    ]
    assert not torch.equal(runs[0].log_weights, runs[1].log_weights)
    assert not torch.equal(runs[1].log_weights, runs[2].log_weights)


def test_weights_given_up_on_the_way_must_be_counted(monkeypatch):
    case = target("gaussian")
    assert meets(case.sequential(200, 8, 5, 8), case.log_z)
    resampled = populations._resampled

    def forgetful(*args):
        state, log_w, gained = resampled(*args)
        return state, log_w, 0 * gained

    monkeypatch.setattr(populations, "_resampled", forgetful)
    assert not meets(case.sequential(200, 8, 5, 8), case.log_z)


def test_ancestors_drawn_without_the_weights_are_seen(monkeypatch):
    case = target("gaussian")
    case = dataclasses.replace(case, options={"threshold": 1.0})

    def blind(log_w, rng):
        return torch.arange(log_w.shape[1]).expand(log_w.shape)

    assert meets(case.sequential(600, 8, 5, 8), case.log_z)
    monkeypatch.setattr(populations, "systematic", blind)
    assert not meets(case.sequential(600, 8, 5, 8), case.log_z)


def test_populations_behind_a_wall_do_not_spoil_the_others():
    box = Uniform(f64([0.5, 0.5]), f64([1.5, 2.0]))
    u = Potential(box.given(), lambda y: (box(None, y), torch.zeros_like(y)))
    times = torch.linspace(0, 1, 7, dtype=F64)
    options = {"particles": 8, "populations": 3000, "times": times}
    estimate = smc(u, wide(1.0), MALA(0.2), rng=generator(1), **options)
    assert bool(estimate.log_weights.isneginf().any())
    assert meets(estimate, math.log(1.5))
    nan = Potential(lambda y: torch.where(y[:, 0] > 0, math.nan, y.square().sum(-1)))
    with pytest.raises(NonFiniteError, match="log of the mean weight"):
        smc(nan, wide(1.0), MALA(0.2), rng=generator(1), **options)


def test_bad_arguments_are_refused():
    u = PLANE["gaussian"].density.given()
    for particles, threshold in ((1, 0.5), (5, -0.1), (5, 1.1), (5, math.nan)):
        with pytest.raises(ConfigurationError, match=r"(particles|threshold) is"):
            smc(
                u,
                wide(1.0),
                MALA(0.1),
                times=TWO,
                particles=particles,
                threshold=threshold,
                rng=generator(),
            )
