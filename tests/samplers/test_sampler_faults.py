"""What chains do where an energy is NaN, infinite, unbounded or misused."""

import dataclasses
import math

import pytest
import torch
from problems import (
    ROOT_MEAN,
    ROOT_STD,
    f64,
    fits,
    generator,
    has_mean,
    randn,
    root,
    root_cdf,
    root_draws,
)
from samplers_support import BOTH, _same, bowl
from torch import Tensor

from ebmlab.energies import MLP
from ebmlab.errors import (
    ConfigurationError,
    DivergenceError,
    DtypeError,
    GradientError,
    NonFiniteError,
    ShapeError,
)
from ebmlab.samplers import MALA, Langevin, run
from ebmlab.types import State


@BOTH
def test_an_energy_cut_off_from_y_has_no_gradient(sampler):
    for silent in (
        lambda y: bowl(y.detach()),
        lambda y: bowl(y.round()).detach(),
        lambda y: torch.ones(len(y), requires_grad=True),
    ):
        with pytest.raises(GradientError, match="carries no gradient"):
            run(sampler, silent, torch.zeros(3, 2), steps=1, rng=generator())
    with pytest.raises(DtypeError, match="int64"):
        run(sampler, bowl, torch.zeros(3, 2, dtype=torch.long), steps=1, rng=generator())


@BOTH
def test_an_energy_must_be_one_number_per_chain(sampler):
    for wrong in (lambda y: bowl(y)[:, None], lambda y: bowl(y).sum(), lambda y: 1.0):
        with pytest.raises(ShapeError, match="one energy per row"):
            run(sampler, wrong, torch.zeros(3, 2), steps=1, rng=generator())
    for empty in (torch.zeros(0, 2), torch.tensor(1.0)):
        with pytest.raises(ShapeError, match="chains"):
            run(sampler, bowl, empty, steps=1, rng=generator())


@BOTH
def test_sampling_leaves_everything_outside_as_it_was(sampler):
    energy, start = MLP(2, hidden=(8,)), torch.randn(5, 2, generator=generator())
    start.requires_grad_()
    copy, numbers = start.detach().clone(), torch.get_rng_state()
    first = run(sampler, energy.given(), start, steps=5, rng=generator())
    kept = State(*(tensor.clone() for tensor in first.state))
    run(sampler, energy.given(), first.state, steps=5, rng=generator(), thin=1)
    assert torch.equal(start, copy)
    assert start.requires_grad
    assert start.grad is None
    assert all(torch.equal(a, b) for a, b in zip(first.state, kept, strict=True))
    assert all(parameter.grad is None for parameter in energy.parameters())
    assert torch.equal(torch.get_rng_state(), numbers)
    assert not first.state.y.requires_grad
    with torch.no_grad():
        blind = run(sampler, energy.given(), start, steps=5, rng=generator())
    assert _same(first, blind)


@pytest.mark.parametrize("steps", [30, 100, 250])
def test_langevin_that_reaches_nan_names_step_and_chain(steps):
    # Descent on √y from 4 runs below 0, where there is no √.
    start = f64([[400.0], [4.0], [900.0]])
    y, first = 4.0, 0
    while y >= 0:
        y, first = y - 0.5 * 0.5 / math.sqrt(y), first + 1
    assert 5 < first <= 30
    with pytest.raises(NonFiniteError, match=rf"chain 1 at step {first}\b"):
        run(Langevin(0.5, 0.0), lambda y: y.sqrt().sum(1), start, steps=steps, rng=generator())
    chain = run(
        Langevin(0.5, 0.0), lambda y: y.sqrt().sum(1), start, steps=first - 1, rng=generator()
    )
    assert chain.state.y.isfinite().all()


def _slopeless(y: Tensor) -> Tensor:
    """½ y² with an energy everywhere, but no gradient below 0."""
    return (y * (y > 0)).sqrt().sum(1) + bowl(y)


def test_langevin_that_reaches_a_nan_gradient_names_step_and_chain():
    start = f64([[9.0], [0.04], [9.0]])
    # 0.04 - 0.1 · (½ / 0.2 + 0.04) < 0 at once.
    for steps in (1, 2):
        with pytest.raises(NonFiniteError, match="chain 1 at step 1"):
            run(Langevin(0.1, 0.0), _slopeless, start, steps=steps, rng=generator())


def test_mala_rejects_and_counts_proposals_without_energy():
    counted = []

    def u(y: Tensor) -> Tensor:
        energy = root(y) + torch.where(y[:, 0] > 1, torch.inf, 0.0)
        counted.append((~energy.isfinite()).double())
        return energy

    start = root_draws(2000, seed=1)
    start = start[start[:, 0] < 1]
    chain = run(MALA(0.2), u, start, steps=50, rng=generator(2), thin=1)
    bad = torch.stack(counted[1:])
    assert bad.sum() > 100
    assert torch.equal(chain.info.nonfinite, bad.sum(0))
    assert chain.energies.isfinite().all()
    assert ((chain.samples > -1) & (chain.samples <= 1)).all()
    assert (chain.samples[1:] != chain.samples[:-1]).any()
    # A chain whose proposal was not finite has not moved.
    stayed = (chain.samples[1:] == chain.samples[:-1]).all(2)
    assert stayed[bad[1:] > 0].all()


def test_mala_rejects_and_counts_proposals_without_gradient():
    start = f64([[0.5]]).repeat(500, 1)
    chain = run(MALA(0.5), _slopeless, start, steps=20, rng=generator(3), thin=1)
    assert chain.info.nonfinite.sum() > 100
    assert (chain.samples > 0).all()
    assert chain.state.grad.isfinite().all()


def test_a_target_that_is_nan_below_its_edge_keeps_its_mean():
    start = root_draws(10_000, seed=4)
    chain = run(MALA(0.05), root, start, steps=300, rng=generator(5))
    # 4 standard errors of the mean: one false alarm in 16,000 seeds.
    four = 6.4e-5
    assert has_mean(chain.state.y, ROOT_MEAN, ROOT_STD, four)
    assert fits(chain.state.y[:, 0], root_cdf)
    assert chain.info.nonfinite.sum() > 0
    mended = run(
        MALA(0.05),
        lambda y: torch.where(y[:, 0] > -1, root(y.clamp(min=-1 + 1e-12)), y[:, 0].square()),
        start,
        steps=300,
        rng=generator(5),
    )
    assert not has_mean(mended.state.y, ROOT_MEAN, ROOT_STD, four)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [2, 4])
def test_langevin_on_an_energy_unbounded_below_diverges(power, dtype):
    sign = torch.tensor([0.5, 0.5, -0.5], dtype=dtype)
    start = torch.tensor([[0.1], [-0.2], [0.5]], dtype=dtype)
    with pytest.raises(DivergenceError, match=r"chain 2 at step \d+: .*without bound"):
        run(
            Langevin(0.1, 0.01),
            lambda y: sign * y[:, 0] ** power,
            start,
            steps=1000,
            rng=generator(),
        )
    held = run(
        Langevin(0.1, 0.01), lambda y: 0.5 * y[:, 0] ** power, start, steps=1000, rng=generator()
    )
    assert held.state.y.abs().max() < 2


@BOTH
def test_a_slope_that_never_ends_diverges(sampler):
    sampler = dataclasses.replace(sampler, step_size=1e5)
    with pytest.raises(DivergenceError, match="without bound"):
        run(sampler, lambda y: y.sum(1), torch.zeros(3, 2), steps=1000, rng=generator())


def test_a_deep_well_is_no_divergence():
    # From 0 down to -1e5, with energies that single precision still tells apart.
    start = torch.full((3, 1), 2**0.5)
    chain = run(Langevin(1e-6), lambda y: 1e5 * (bowl(y) - 1), start, steps=200, rng=generator())
    assert ((chain.state.energy > -1.001e5) & (chain.state.energy < -0.999e5)).all()


def test_an_offset_drowns_single_precision_as_double_precision_does_not():
    start = randn(400, 2, seed=1)
    # In single precision 1e11 resolves 8192, and every proposal looks level.
    for dtype, keeps in ((torch.float32, False), (torch.float64, True)):
        y = start.to(dtype)
        high = run(MALA(0.2), lambda y: bowl(y) + 1e11, y, steps=100, rng=generator(2))
        fine = run(MALA(0.2), bowl, y, steps=100, rng=generator(2))
        same = (high.state.y == fine.state.y).all(1)
        assert same.double().mean() > 0.985 if keeps else same.double().mean() < 0.5
        torch.testing.assert_close(high.acceptance[same], fine.acceptance[same], rtol=0, atol=1e-5)


@BOTH
def test_run_refuses_what_is_no_run(sampler):
    start = torch.zeros(2, 2)
    for options in ({"steps": 0}, {"steps": 3, "thin": -1}):
        with pytest.raises(ConfigurationError, match=f"{[*options][-1]} is"):
            run(sampler, bowl, start, rng=generator(), **options)
    with pytest.raises(ConfigurationError, match="rng"):
        run(sampler, bowl, start, steps=1, rng=None)
