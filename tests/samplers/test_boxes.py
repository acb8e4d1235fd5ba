"""A uniform box: no slope, and a wall. Samplers that reject, slice or reflect keep its law."""

import pytest
import torch
from problems import F64, RATE, f64, fits, generator
from scipy import stats
from torch.nn import functional

from ebmlab import run
from ebmlab.energies import Uniform
from ebmlab.errors import NonFiniteError
from ebmlab.samplers import (
    HMC,
    MALA,
    NUTS,
    SVGD,
    Annealed,
    ChEESHMC,
    EllipticalSlice,
    Heated,
    Langevin,
    ParallelTempering,
    Underdamped,
    linear,
)

LOW, HIGH = f64([-1.0, 0.0]), f64([1.0, 3.0])
BOX = Uniform(LOW, HIGH)

SAMPLERS = {
    "MALA": MALA(0.3),
    "HMC": HMC(0.3, 5),
    "NUTS": NUTS(0.3, max_depth=4),
    "ChEESHMC": ChEESHMC(0.3, 2),
    "EllipticalSlice": EllipticalSlice(),
    "Heated": Heated(MALA(0.3), 2.0),
    "Annealed": Annealed(MALA(0.3), linear(2.0, 1.0, 4)),
    "ParallelTempering": ParallelTempering(MALA(0.3), (1.0, 2.0)),
    "Langevin, reflected": Langevin(0.3, box=(LOW, HIGH)),
}


def is_uniform(y):
    """Each coordinate of independent draws by Kolmogorov-Smirnov, at RATE / 2 each."""
    share = (y - LOW) / (HIGH - LOW)
    return all(fits(share[:, i], stats.uniform.cdf, RATE / 2) for i in range(2))


def moved(sampler, start):
    return run(sampler, BOX.given(), start, steps=8, rng=generator(1)).state.y


# Exact draws stay exact under a right kernel: a test fails at one seed in 1 / RATE.
@pytest.mark.parametrize("name", SAMPLERS)
def test_uniform_draws_stay_uniform_and_move(name):
    start = BOX.sample(4000, generator())
    y = moved(SAMPLERS[name], start)
    assert is_uniform(y)
    assert (y - start).abs().mean() > 0.3


def test_draws_that_are_not_uniform_are_told_from_it():
    # Controls: a corner that eight steps do not forget, and proposals put back onto the wall.
    corner = (LOW + 0.02 * (HIGH - LOW)).expand(4000, 2).clone()
    assert not is_uniform(moved(MALA(0.3), corner))
    y = BOX.sample(4000, generator())
    noise = torch.randn(y.shape, generator=generator(1), dtype=F64)
    assert not is_uniform((y + 0.3 * noise).clamp(LOW, HIGH))


@pytest.mark.parametrize("sampler", [Langevin(0.3), Underdamped(0.3), SVGD(0.3)], ids=str)
def test_kernels_that_reject_nothing_say_that_they_left_the_box(sampler):
    with pytest.raises(NonFiniteError, match="Metropolis-adjusted"):
        moved(sampler, BOX.sample(200, generator()))


def test_the_slope_of_a_box_is_zero_on_both_sides_by_hand_and_by_autograd():
    y = functional.pad(f64([0.5, 2.0, torch.inf, -torch.inf])[:, None], (0, 1), value=1.0)
    energy, grad = BOX.given().value_and_grad(y)
    assert energy.tolist() == [0.0, torch.inf, torch.inf, torch.inf]
    y.requires_grad_()
    (slope,) = torch.autograd.grad(BOX(None, y).sum(), y)
    assert (grad == 0).all()
    assert (slope == 0).all()
