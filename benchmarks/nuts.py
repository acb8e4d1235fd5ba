"""NUTS beside blackjax's, with one step size, one metric and one greatest depth: draws per second.

Seconds are the processor's, so that the load of the machine does not count.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from hmc import _array
from jax_posteriors import log_density
from measure import Row, Time, bulk_ess, compared, installed, race
from torch import Tensor

from ebmlab import Energy, run
from ebmlab.data.posteriors import posterior
from ebmlab.energies import Gaussian
from ebmlab.samplers import NUTS
from ebmlab.samplers.metric import Diagonal

DIM, DEPTH = 50, 6


class Case(NamedTuple):
    """What is sampled from exact draws on, and how."""

    name: str
    energy: Energy
    density: Callable[[Any], Any] | None
    draws: Tensor
    step_size: float
    std: Tensor


def rows(device: str, quick: bool) -> Iterator[Row]:
    """Eight schools in float64, a Gaussian in float32, with 64 and with 4 chains."""
    peer = installed("blackjax") and device == "cpu"
    for make, double in ((_schools, True), (_gaussian, False)):
        if peer:
            import jax

            jax.config.update("jax_enable_x64", double)
        case = make(peer)
        for chains, steps in ((8, 20),) if quick else ((64, 400), (4, 2000)):
            yield from _one(case, chains, steps, device, peer, turns=3 if quick else 5)


def _schools(peer: bool) -> Case:
    """With the step size that a warm-up for an acceptance of 0.8 finds."""
    energy, draws, _ = posterior("eight_schools")
    flat = draws.flatten(0, 1)
    mixed = flat[torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))]
    density = log_density(energy) if peer else None
    return Case("eight schools", energy, density, mixed, 0.552, flat.std(0))


def _gaussian(peer: bool) -> Case:
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(DIM, DIM, generator=rng, dtype=torch.float64)
    precision = noise @ noise.mT / DIM + torch.eye(DIM, dtype=torch.float64)
    energy = Gaussian(torch.zeros(DIM), precision.inverse().float())
    draws = energy.sample(1000, rng)
    density = _quadratic(precision.float()) if peer else None
    std = precision.inverse().diagonal().sqrt().float()
    return Case(f"Gaussian {DIM}-D", energy, density, draws, 0.42, std)


def _quadratic(precision: Tensor) -> Callable[[Any], Any]:
    import jax

    matrix = jax.numpy.asarray(precision.numpy())
    return lambda y: -0.5 * y @ matrix @ y


def _one(
    case: Case, chains: int, steps: int, device: str, peer: bool, turns: int
) -> Iterator[Row]:
    start = case.draws[:chains].contiguous().to(device)
    leaves: list[float] = []
    contenders = {"compiled": _ours(case, start, steps, leaves)}
    if peer:
        contenders["blackjax"] = _blackjax(case, start, steps)
    times = race(contenders, device, turns, clock=time.process_time)
    ess = {name: bulk_ess(time.result) for name, time in times.items()}
    title = f"{case.name}, {chains} chains × {steps}, depth <= {DEPTH}"
    for row in compared("nuts", title, "compiled", times, ess):
        yield replace(row, note=f"{row.note}; {_turn(times['compiled'], leaves[-1])}")


def _turn(ours: Time, leaves: float) -> str:
    return f"{ours.seconds / leaves * 1e6:.0f} µs for a leapfrog step of the longest chain"


def _ours(case: Case, start: Tensor, steps: int, leaves: list[float]) -> Callable[[], Tensor]:
    rng = torch.Generator(start.device).manual_seed(1)
    u = case.energy.to(start.device).given()
    kernel = NUTS(case.step_size, Diagonal(case.std.to(start.device)), max_depth=DEPTH)

    def draws() -> Tensor:
        chain = run(kernel, u, start, steps=steps, rng=rng, thin=1, compile=True)
        leaves.append(float(chain.info.leapfrogs.max()))
        return chain.samples

    return draws


def _blackjax(case: Case, start: Tensor, steps: int) -> Callable[[], Tensor]:
    import blackjax
    import jax

    y = jax.numpy.asarray(start.numpy())
    variances = jax.numpy.asarray(case.std.square().numpy())
    kernel = blackjax.nuts(case.density, case.step_size, variances, max_num_doublings=DEPTH)

    @jax.jit
    def chains(y: Any, key: Any) -> Any:
        def step(state: Any, key: Any) -> tuple[Any, Any]:
            state = jax.vmap(kernel.step)(jax.random.split(key, len(y)), state)[0]
            return state, state.position

        state = jax.vmap(kernel.init)(y)
        return jax.lax.scan(step, state, jax.random.split(key, steps))[1]

    key = jax.random.key(0)
    return lambda: torch.from_numpy(_array(chains(y, key)))
