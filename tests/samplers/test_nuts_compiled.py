"""Compiled runs of NUTS: the chains of steps, each at a transition of its own, in few calls."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from problems import F64, f64, generator, randn
from samplers_support import bowl
from torch import Tensor

from ebmlab.errors import DivergenceError
from ebmlab.kernels import lowering, programs
from ebmlab.samplers._run import turns
from ebmlab.samplers._run.run import run
from ebmlab.samplers.metric import Diagonal
from ebmlab.samplers.nuts import NUTS
from ebmlab.types import Chain

WIDE = f64([1.0, 0.2])
START = WIDE * randn(7, 2, seed=1)


def stretched(y: Tensor) -> Tensor:
    return bowl(y / WIDE.to(y.dtype))


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Programs are traced whole but run by eager operations; tells of traces and of calls."""
    told = []

    def lower(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., list[Tensor]]:
        told.append("trace")

        def call(*inputs: Tensor) -> list[Tensor]:
            told.append("call")
            return graph(*inputs)

        return call

    monkeypatch.setattr(lowering, "lower", lower)
    monkeypatch.setattr(programs, "_MADE", OrderedDict())
    return told


def both(
    sampler: NUTS, u: Callable[[Tensor], Tensor], start: Tensor, **options: int
) -> list[Chain]:
    """Chains of a compiled run, and those in steps."""
    return [
        run(sampler, u, start, rng=generator(3), compile=way, **options) for way in (True, False)
    ]


@pytest.mark.parametrize(("thin", "dtype"), [(0, F64), (1, F64), (3, F64), (1, torch.float32)])
def test_a_compiled_chain_is_the_one_in_steps(thin, dtype, calls):
    sampler = NUTS(0.1, Diagonal(f64([1.5, 1.0]).to(dtype)), max_depth=5)
    fast, eager = both(sampler, stretched, START.to(dtype), steps=8, thin=thin)
    assert calls.count("trace") == 1
    torch.testing.assert_close(fast, eager)
    assert len(set(eager.info.leapfrogs.tolist())) > 3


def test_a_chain_of_a_compiled_run_does_not_depend_on_the_others(calls):
    scale = f64([[1.0]] * 7 + [[10.0]] * 7)
    sampler, options = NUTS(0.1, max_depth=6), {"steps": 3, "thin": 1, "compile": True}
    beside = run(
        sampler,
        lambda y: stretched(y / scale),
        torch.cat([START, 10 * START]),
        rng=generator(7),
        **options,
    )
    twice = torch.cat([START, START])
    alike = run(sampler, stretched, twice, rng=generator(7), **options)
    assert beside.info.leapfrogs[7:].sum() > 1.5 * beside.info.leapfrogs[:7].sum()
    torch.testing.assert_close(beside.samples[:, :7], alike.samples[:, :7], rtol=0, atol=0)
    assert torch.equal(beside.info.leapfrogs[:7], alike.info.leapfrogs[:7])


def test_a_call_is_many_turns_and_no_chain_waits(calls):
    seen = []

    def u(y: Tensor) -> Tensor:
        seen.append(len(y))
        return stretched(y)

    start = WIDE * randn(20, 2, seed=1)
    in_steps = run(NUTS(0.1, max_depth=5), u, start, steps=15, rng=generator(3))
    turns_in_steps = len(seen) - 1
    fast = run(NUTS(0.1, max_depth=5), u, start, steps=15, rng=generator(3), compile=True)
    torch.testing.assert_close(fast.info, in_steps.info)
    longest = float(fast.info.leapfrogs.max())
    assert calls.count("call") <= longest / turns.MANY + 1
    # In steps every transition takes as many turns as its longest tree.
    assert turns_in_steps > 1.2 * longest


def test_step_sizes_and_metrics_share_a_program(calls):
    for step_size in (0.1, 0.2):
        sampler = NUTS(step_size, Diagonal(f64([step_size, 1.0])), max_depth=3)
        fast, eager = both(sampler, stretched, START, steps=3)
        torch.testing.assert_close(fast, eager)
    assert calls.count("trace") == 1


def test_a_compiled_chain_whose_energy_falls_without_bound_is_named(calls):
    def pit(y: Tensor) -> Tensor:
        return bowl(y) + (1.5 - y[:, 0]).clamp(min=0).log()

    with pytest.raises(DivergenceError, match=r"chain \d+ at step \d+.*without bound"):
        run(NUTS(0.3), pit, torch.zeros(50, 2), steps=10, rng=generator(), compile=True)


def test_the_real_compiler_makes_the_chain_in_steps(monkeypatch):
    # Without a second way: what the first refused would run, and warn.
    monkeypatch.setattr(lowering, "_OPTIONS", lowering._OPTIONS[:1])
    fast, eager = both(NUTS(0.1, max_depth=3), stretched, START, steps=5, thin=1)
    torch.testing.assert_close(fast, eager)
