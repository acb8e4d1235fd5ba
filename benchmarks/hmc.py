"""Hamiltonian Monte Carlo of a correlated 50-D Gaussian: effective draws per second."""

from collections.abc import Callable
from typing import Any

import torch
from measure import Row, bulk_ess, compared, installed, race
from torch import Tensor

from ebmlab import run
from ebmlab.energies import Gaussian
from ebmlab.samplers import HMC

DIM, STEP, LEAPS = 50, 0.2, 10


def rows(device: str, quick: bool) -> list[Row]:
    """100 chains × 500 transitions of 10 leapfrog steps, float32."""
    chains, steps = (20, 100) if quick else (100, 500)
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(DIM, DIM, generator=rng, dtype=torch.float64)
    precision = noise @ noise.mT / DIM + torch.eye(DIM, dtype=torch.float64)
    energy = Gaussian(torch.zeros(DIM), precision.inverse().float())
    start = energy.sample(chains, rng).to(device)
    contenders = _ours(energy.to(device), start, steps)
    if installed("blackjax") and device == "cpu":
        contenders["blackjax"] = _blackjax(precision, start, steps)
    if installed("torchebm"):
        contenders["torchebm"] = _torchebm(energy, start, steps)
    times = race(contenders, device, turns=3 if quick else 5)
    ess = {name: bulk_ess(time.result) for name, time in times.items()}
    case = f"Gaussian {DIM}-D, {chains} chains × {steps}, {LEAPS} leaps"
    return compared("hmc", case, "compiled", times, ess)


def _ours(energy: Gaussian, start: Tensor, steps: int) -> dict[str, Callable[[], Tensor]]:
    rng = torch.Generator(start.device).manual_seed(1)
    kernel, u = HMC(STEP, LEAPS), energy.given()

    def chains(compile: bool) -> Tensor:
        options = {"steps": steps, "rng": rng, "thin": 1}
        return run(kernel, u, start, compile=compile, **options).samples

    return {"compiled": lambda: chains(True), "ebmlab eager": lambda: chains(False)}


def _blackjax(precision: Tensor, start: Tensor, steps: int) -> Callable[[], Tensor]:
    import blackjax
    import jax

    matrix = jax.numpy.asarray(precision.numpy(), dtype="float32")
    y = jax.numpy.asarray(start.numpy())
    ones = jax.numpy.ones(DIM, dtype="float32")
    kernel = blackjax.hmc(lambda y: -0.5 * y @ matrix @ y, STEP, ones, LEAPS)

    @jax.jit
    def chains(y: Any, key: Any) -> Any:
        def step(state: Any, key: Any) -> tuple[Any, Any]:
            keys = jax.random.split(key, len(y))
            state = jax.vmap(kernel.step)(keys, state)[0]
            return state, state.position

        return jax.lax.scan(step, jax.vmap(kernel.init)(y), jax.random.split(key, steps))[1]

    key = jax.random.key(0)
    return lambda: torch.from_numpy(_array(chains(y, key)))


def _torchebm(energy: Gaussian, start: Tensor, steps: int) -> Callable[[], Tensor]:
    from torchebm.core import BaseModel
    from torchebm.samplers import HamiltonianMonteCarlo

    class Model(BaseModel):
        def forward(self, x: Tensor) -> Tensor:
            return energy(None, x)

    sampler = HamiltonianMonteCarlo(
        Model().to(start.device), step_size=STEP, n_leapfrog_steps=LEAPS, device=start.device
    )

    def draws() -> Tensor:
        out = sampler.sample(x=start, n_steps=steps, return_trajectory=True)
        return out.transpose(0, 1)

    return draws


def _array(draws: Any) -> Any:
    import numpy as np

    return np.array(draws)
