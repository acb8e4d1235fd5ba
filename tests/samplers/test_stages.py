"""Walks down noise levels: weights of separate modes, one stage as `run`, what is kept."""

import itertools
import math

import pytest
import torch
from problems import f64, generator, randn

from ebmlab import FunctionEnergy
from ebmlab.energies import GaussianMixture
from ebmlab.errors import ConfigurationError
from ebmlab.metrics import mode_weights
from ebmlab.samplers import Langevin, Stage, noise_levels, noise_stages, run, walk_down

MEANS, WEIGHTS, NARROW = f64([[-2.0, 0.0], [2.0, 0.5]]), f64([0.75, 0.25]), 0.1


def noisy(sigma):
    """The exact potential of the mixture under noise."""
    return GaussianMixture(MEANS, math.hypot(NARROW, sigma), WEIGHTS).potential


def test_noise_that_falls_finds_the_weights_of_modes_and_cold_chains_do_not():
    n, levels = 1500, noise_levels(5.0, 0.1, 40)
    stages = [Stage(noisy(s), Langevin(0.2 * s**2)) for s in levels]
    start = 5 * torch.randn(n, 2, generator=generator(), dtype=torch.float64)
    chain = walk_down(stages, start, steps=6, rng=generator(1))
    found = mode_weights(chain.state.y, MEANS, expected=WEIGHTS)
    # Five standard deviations of a share, and a bias of the walk of half as much.
    margin = 7.5 * math.sqrt(0.75 * 0.25 / n)
    assert found.error < margin
    assert float(chain.state.energy.std()) < 1.5
    cold = walk_down(stages[-1:], start, steps=6, rng=generator(1))
    assert mode_weights(cold.state.y, MEANS, expected=WEIGHTS).error > 2 * margin


def test_one_stage_is_a_run_and_the_states_of_all_stages_are_kept_in_order():
    u, y = noisy(0.3), randn(5, 2)
    alone = run(Langevin(0.02), u, y, steps=6, thin=2, rng=generator())
    walked = walk_down([Stage(u, Langevin(0.02))], y, steps=6, thin=2, rng=generator())
    torch.testing.assert_close(walked.samples, alone.samples, rtol=0, atol=0)
    rng = generator()
    halves = walk_down([Stage(u, Langevin(0.02))] * 2, y, steps=3, thin=1, rng=rng)
    assert halves.samples.shape == (6, 5, 2)
    torch.testing.assert_close(halves.state.y, alone.state.y, rtol=0, atol=0)
    torch.testing.assert_close(halves.samples[-1], alone.state.y, rtol=0, atol=0)
    assert halves.energies.shape == (6, 5)


def test_levels_fall_in_equal_ratios_and_steps_with_their_squares():
    levels = noise_levels(3.0, 0.2, 7)
    assert (levels[0], levels[-1]) == (3.0, 0.2)
    ratios = [b / a for a, b in itertools.pairwise(levels)]
    assert ratios == pytest.approx([ratios[0]] * 6)
    energy = FunctionEnergy(lambda x, y: x.sum(-1) * y.square().sum(-1), ("x", "y"))
    stages = noise_stages(energy, [2.0, 0.5], step_size=0.3)
    sizes = [stage.sampler.step_size for stage in stages]  # pyright: ignore[reportAttributeAccessIssue]
    assert sizes == pytest.approx([1.2, 0.075])
    torch.testing.assert_close(stages[1].u(torch.ones(3, 2)), torch.ones(3))


@pytest.mark.parametrize(("high", "low", "count"), [(1.0, 1.0, 3), (0.5, 1.0, 3), (2.0, 1.0, 1)])
def test_levels_that_do_not_fall_are_refused(high, low, count):
    with pytest.raises(ConfigurationError, match="levels"):
        noise_levels(high, low, count)


def test_a_walk_without_stages_is_refused():
    with pytest.raises(ConfigurationError, match="stages is empty"):
        walk_down([], randn(2, 2), steps=1, rng=generator())
