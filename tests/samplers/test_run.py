"""The one loop: generators, states, thinning, records, precision."""

import sys

import pytest
import torch
from problems import generator, randn
from samplers_support import BOTH, _same, bowl
from torch import Tensor

from ebmlab.samplers import MALA, Langevin, run
from ebmlab.types import State


def _chains(sampler, steps: int, thin: int = 0, start: Tensor | State | None = None, **options):
    rng = options.pop("rng", generator(11))
    start = randn(6, 2, seed=10) if start is None else start
    return run(sampler, bowl, start, steps=steps, rng=rng, thin=thin, **options)


@BOTH
def test_the_same_generator_gives_the_same_chain_bit_for_bit(sampler):
    one, two = _chains(sampler, 30, thin=1), _chains(sampler, 30, thin=1)
    assert _same(one, two)
    assert torch.equal(one.samples, two.samples)
    assert not _same(one, _chains(sampler, 30, rng=generator(12)))


@BOTH
def test_going_on_from_a_state_equals_one_longer_run(sampler):
    rng = generator(11)
    first = _chains(sampler, 13, rng=rng)
    second = _chains(sampler, 17, start=first.state, rng=rng)
    whole = _chains(sampler, 30)
    assert _same(second, whole)
    torch.testing.assert_close(
        13 * first.acceptance + 17 * second.acceptance, 30 * whole.acceptance
    )


@BOTH
def test_thinning_keeps_every_thin_th_state(sampler):
    every = _chains(sampler, 25, thin=1)
    third = _chains(sampler, 25, thin=3)
    assert every.samples.shape == (25, 6, 2)
    assert torch.equal(every.samples[-1], every.state.y)
    assert torch.equal(third.samples, every.samples[2::3])
    assert torch.equal(third.energies, bowl(third.samples.flatten(0, 1)).reshape(8, 6))
    none = _chains(sampler, 25)
    assert none.samples.shape == (0, 6, 2)
    assert none.energies.shape == (0, 6)
    assert _same(none, every)
    assert len(_chains(sampler, 5, thin=6).samples) == 0


@BOTH
def test_a_record_is_the_sum_over_steps(sampler):
    rng, parts = generator(11), []
    state = randn(6, 2, seed=10)
    for _ in range(12):
        chain = _chains(sampler, 1, start=state, rng=rng)
        state = chain.state
        parts.append(chain.info.acceptance)
    whole = _chains(sampler, 12)
    torch.testing.assert_close(whole.info.acceptance, torch.stack(parts).sum(0))
    torch.testing.assert_close(whole.acceptance, torch.stack(parts).mean(0))


def test_progress_shows_a_bar_on_a_terminal_and_changes_nothing(capsys, monkeypatch):
    quiet = _chains(MALA(0.5), 30, progress=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = _chains(MALA(0.5), 30, progress=True)
    captured = capsys.readouterr()
    assert "sampling" in captured.err
    assert "30/30" in captured.err
    assert captured.out == ""
    assert _same(quiet, shown)


@BOTH
def test_a_hundred_thousand_chains_run(sampler):
    chain = run(sampler, bowl, torch.zeros(100_000, 2), steps=10, rng=generator(), thin=5)
    assert chain.samples.shape == (2, 100_000, 2)
    assert chain.samples.isfinite().all()
    assert (chain.state.y != 0).any(1).float().mean() > 0.99


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_chains_move_in_single(sampler, dtype):
    seen = []

    def u(y: Tensor) -> Tensor:
        seen.append(y.dtype)
        return y.square().sum(1)

    start = torch.ones(4, 2, dtype=dtype)
    chain = run(sampler, u, start, steps=3, rng=generator(), thin=1)
    assert set(seen) == {dtype}
    floats = (*chain.state, chain.samples, chain.energies, chain.acceptance)
    assert {tensor.dtype for tensor in floats} == {torch.float32}


def test_small_steps_are_not_lost_in_half_precision():
    start = torch.full((2, 1), 100.0, dtype=torch.bfloat16)
    sampler = Langevin(1e-3, temperature=0.0)
    chain = run(sampler, lambda y: y.sum(1), start, steps=100, rng=generator())
    torch.testing.assert_close(chain.state.y, torch.full((2, 1), 99.9))
    moved = start
    for _ in range(100):
        moved = moved - 1e-3
    assert torch.equal(moved, start)


@BOTH
def test_going_on_in_half_precision_equals_one_longer_run(sampler):
    seen = []

    def u(y: Tensor) -> Tensor:
        seen.append(y.dtype)
        return y.square().sum(1)

    start, rng = torch.ones(4, 2, dtype=torch.bfloat16), generator(1)
    first = run(sampler, u, start, steps=3, rng=rng)
    second = run(sampler, lambda y: u(y.bfloat16()).float(), first.state, steps=3, rng=rng)
    whole = run(sampler, u, start, steps=6, rng=generator(1))
    assert set(seen) == {torch.bfloat16}
    assert _same(second, whole)


def test_an_interrupted_run_returns_the_chain_so_far():
    calls = 0

    def impatient(y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise KeyboardInterrupt
        return bowl(y)

    start = randn(6, 2, seed=10)
    with pytest.warns(UserWarning, match="interrupted after 18 of 30 steps"):
        cut = run(MALA(0.5), impatient, start, steps=30, rng=generator(11), thin=4)
    short = run(MALA(0.5), bowl, start, steps=18, rng=generator(11), thin=4)
    torch.testing.assert_close(cut, short)
    calls = 18
    with pytest.raises(KeyboardInterrupt):
        run(MALA(0.5), impatient, start, steps=30, rng=generator(11))
