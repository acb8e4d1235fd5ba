"""Chains far out: they come in while their energies fall, count for nothing, and are named."""

import warnings

import pytest
import torch
from problems import F64, f64, generator, randn
from samplers_support import bowl
from torch import Tensor

from ebmlab.samplers import HMC, MALA, ChEESHMC, Diagonal, run, warmup
from ebmlab.samplers._steps.stragglers import near
from ebmlab.samplers._warmup import settling, tuning
from ebmlab.samplers.metric import Identity


def wall(y: Tensor) -> Tensor:
    """A bowl in y₀ between walls at y₁ = ±1."""
    return 0.5 * y[:, 0].square() + y[:, 1].abs().pow(400)


def scattered(seed: int, chains: int = 16) -> Tensor:
    return 4 * torch.rand(chains, 2, dtype=F64, generator=generator(seed)) - 2


@pytest.mark.parametrize("sampler", [ChEESHMC(), HMC(0.1, 5, jitter=0.2)], ids=["chees", "hmc"])
def test_chains_come_in_from_behind_a_wall(sampler):
    start = scattered(1)
    assert (wall(start) > 1e20).sum() >= 6
    tuned, state = warmup(sampler, wall, start, steps=200, rng=generator(2))
    assert state.energy.max() < 20
    assert tuned.step_size > 1e-3
    assert run(tuned, wall, state, steps=20, rng=generator(3)).acceptance.min() > 0.3


@pytest.mark.parametrize("part", ["cold", "cut short"])
def test_without_warmth_or_time_they_do_not_and_are_told_of(part, monkeypatch):
    if part == "cold":
        monkeypatch.setattr(settling, "_warmth", lambda energy, dim: torch.ones_like(energy))
    else:
        monkeypatch.setattr(settling, "LONGEST", 0)
    with pytest.warns(UserWarning, match=r"\d of 16 chains are far out.*\(chain 1, "):
        _, state = warmup(HMC(0.1, 5), wall, scattered(1), steps=200, rng=generator(2))
    assert state.energy.max() > 1e20


# Every other chain stands on a narrow hill that it cannot leave.
HILLS = torch.where(torch.arange(16) % 2 == 1, 1e6, 0.0).to(F64)
NARROW = torch.where(HILLS > 0, 1e-6, 1.0)


def hills(y: Tensor) -> Tensor:
    return HILLS + bowl(y / NARROW[:, None])


@pytest.mark.parametrize("excluded", [True, False])
def test_chains_far_out_count_neither_in_moments_nor_in_acceptance(excluded, monkeypatch):
    if not excluded:
        monkeypatch.setattr(tuning, "near", lambda energy, dim: torch.ones_like(energy) > 0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        start = NARROW[:, None] * randn(16, 2)
        tuned, _ = warmup(MALA(0.1), hills, start, steps=200, rng=generator(1), metric=Diagonal)
    width = float(tuned.step_size**0.5 * tuned.metric.std.mean())
    # MALA accepts 0.57 of its proposals on a standard normal of two dimensions at about 1.4.
    assert (width > 0.7) == excluded
    named = "8 of 16 chains are far out after the warm-up (chain 1, 3, 5, 7, 9, 11, 13, 15)"
    assert any(named in str(warning.message) for warning in told) == excluded


def test_wide_chains_far_out_do_not_widen_the_metric(monkeypatch):
    wide = torch.where(HILLS > 0, 1e3, 1.0)

    def plains(y: Tensor) -> Tensor:
        return HILLS + bowl(y / wide[:, None])

    stds = []
    for excluded in (True, False):
        if not excluded:
            monkeypatch.setattr(tuning, "near", lambda energy, dim: torch.ones_like(energy) > 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tuned, _ = warmup(
                HMC(0.3, 3),
                plains,
                wide[:, None] * randn(16, 2),
                steps=200,
                rng=generator(1),
                metric=Diagonal,
            )
        stds.append(float(tuned.metric.std.max()))
    assert stds[0] < 1.3
    assert stds[1] > 30


def test_most_chains_may_be_far_out_and_none_of_a_gaussian_is():
    energy = torch.cat([bowl(randn(5, 3)), torch.full((11,), 1e9, dtype=F64)])
    assert near(energy, 3).tolist() == [True] * 5 + [False] * 11
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(3):
            start = randn(64, 3, seed=seed)
            warmup(HMC(0.5, 3), bowl, start, steps=60, rng=generator(seed), metric=Identity)


def test_an_energy_that_falls_all_the_way_does_not_go_on_forever():
    counted = []

    def slope(y: Tensor) -> Tensor:
        counted.append(1)
        return 1e3 * y.abs().sum(-1) - 1e-3 * y.abs().sum(-1).square().clamp(max=1.0) + bowl(y)

    start = 1e7 * f64([[1.0, 1.0], [1.0, -1.0]])
    warmup(HMC(1e-3, 2), slope, start, steps=40, rng=generator(), metric=Diagonal)
    assert len(counted) < 4 * settling.LONGEST + 500
