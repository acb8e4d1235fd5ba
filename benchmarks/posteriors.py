"""Posteriors of Bayesian practice: effective draws per second, warm-up and compilation apart."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from hmc import _array
from jax_posteriors import log_density
from measure import Row, bulk_ess, compared, installed, race
from torch import Tensor

from ebmlab import run, warmup
from ebmlab.data.posteriors import Unconstrained, posterior
from ebmlab.samplers import NUTS, ChEESHMC

NAMES = ("eight_schools", "arK", "gp_regr", "kilpisjarvi")
WARMUP = 500

Draws = Callable[[], Tensor]


def rows(device: str, quick: bool) -> Iterator[Row]:
    """Each posterior with 64 and with 4 chains, float64; draws are (steps, chains, d).

    On CUDA with 1024 chains, and ChEES alone.
    """
    if installed("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
    sizes = ((64, 200), (4, 1000)) if device == "cpu" else ((1024, 200),)
    for chains, steps in ((16, 50),) if quick else sizes:
        for name in NAMES[:1] if quick else NAMES:
            energy, draws, _ = posterior(name)
            picks = torch.randperm(len(draws), generator=torch.Generator().manual_seed(0))
            start = draws[picks].flatten(0, 1)[:chains].contiguous().to(device)
            case = f"{name}, {chains} chains × {steps}"
            yield from _one(case, energy.to(device), start, steps)


def _one(case: str, energy: Unconstrained, start: Tensor, steps: int) -> list[Row]:
    contenders: dict[str, Draws] = {}
    notes: dict[str, str] = {}
    makers = {"ChEES compiled": _chees}
    if not start.is_cuda:
        makers["ebmlab NUTS"] = _nuts
    if installed("blackjax") and not start.is_cuda:
        makers |= {f"blackjax NUTS {m}": _blackjax(m) for m in ("diagonal", "dense")}
    if installed("numpyro") and not start.is_cuda:
        makers |= {f"numpyro NUTS {m}": _numpyro(m) for m in ("diagonal", "dense")}
    for name, make in makers.items():
        began = time.perf_counter()
        contenders[name] = make(energy, start, steps)
        notes[name] = f"warm-up {time.perf_counter() - began:.1f} s"
    times = race(contenders, start.device.type, turns=2)
    ess = {name: bulk_ess(time.result) for name, time in times.items()}
    ours = "ChEES compiled"
    return [
        replace(row, note=f"{row.note}; {notes[ours]}, peer {notes.get(row.peer, '–')}")
        for row in compared("posteriors", case, ours, times, ess)
    ]


def _chees(energy: Unconstrained, start: Tensor, steps: int) -> Draws:
    rng, u = torch.Generator(start.device).manual_seed(1), energy.given()
    tuned, state = warmup(ChEESHMC(), u, start, steps=WARMUP, rng=rng)
    options = {"steps": steps, "rng": rng, "thin": 1, "compile": True}
    return lambda: run(tuned, u, state, **options).samples


def _nuts(energy: Unconstrained, start: Tensor, steps: int) -> Draws:
    rng, u = torch.Generator(start.device).manual_seed(1), energy.given()
    tuned, state = warmup(NUTS(0.1), u, start, steps=WARMUP, rng=rng)
    options = {"steps": steps, "rng": rng, "thin": 1, "compile": True}
    return lambda: run(tuned, u, state, **options).samples


def _blackjax(metric: str) -> Callable[[Unconstrained, Tensor, int], Draws]:
    def make(energy: Unconstrained, start: Tensor, steps: int) -> Draws:
        import blackjax
        import jax

        density = log_density(energy)
        adapt = blackjax.window_adaptation(
            blackjax.nuts, density, is_mass_matrix_diagonal=metric == "diagonal"
        )
        y, key = jax.numpy.asarray(start.numpy()), jax.random.key(0)
        # One chain is adapted, and all use what it found.
        (_, found), _ = jax.jit(adapt.run, static_argnums=2)(key, y[0], WARMUP)
        kernel = blackjax.nuts(density, **found)

        @jax.jit
        def chains(y: Any, key: Any) -> Any:
            def step(state: Any, key: Any) -> tuple[Any, Any]:
                state = jax.vmap(kernel.step)(jax.random.split(key, len(y)), state)[0]
                return state, state.position

            state = jax.vmap(kernel.init)(y)
            return jax.lax.scan(step, state, jax.random.split(key, steps))[1]

        return lambda: torch.from_numpy(_array(chains(y, key)))

    return make


def _numpyro(metric: str) -> Callable[[Unconstrained, Tensor, int], Draws]:
    def make(energy: Unconstrained, start: Tensor, steps: int) -> Draws:
        import jax
        from numpyro.infer import MCMC
        from numpyro.infer import NUTS as PeerNUTS

        density = log_density(energy)
        kernel = PeerNUTS(potential_fn=lambda y: -density(y), dense_mass=metric == "dense")
        options = {"num_chains": len(start), "chain_method": "vectorized", "progress_bar": False}
        mcmc = MCMC(kernel, num_warmup=WARMUP, num_samples=steps, **options)
        mcmc.warmup(jax.random.key(0), init_params=jax.numpy.asarray(start.numpy()))
        warmed = mcmc.post_warmup_state

        def draws() -> Tensor:
            mcmc.post_warmup_state = warmed
            mcmc.run(jax.random.key(1))
            samples = mcmc.get_samples(group_by_chain=True)
            return torch.from_numpy(_array(samples)).transpose(0, 1)

        return draws

    return make
