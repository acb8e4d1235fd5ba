"""Unadjusted Langevin chains: analytic energies of the plane, and a small network.

On CUDA also chains of 128 coordinates, a thousand and a million of them: of an energy that a
kernel knows, and of a user's own, whose steps are compiled.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from measure import Row, compared, installed, race
from torch import Tensor, nn

from ebmlab import FunctionEnergy, run
from ebmlab.energies import MLP, DoubleWell, GaussianMixture
from ebmlab.energy import Energy
from ebmlab.samplers import Langevin

STEP, WIDE = 0.01, 128
ANGLES = torch.arange(8) * (2 * math.pi / 8)
MEANS = 4 * torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)
SCALE = 0.5


class Case(NamedTuple):
    """Chains of vectors (dim), and the same energy as a function of JAX arrays."""

    name: str
    energy: Energy
    slope: Callable[[Any], Any] | None
    chains: int
    steps: int
    dim: int = 2


def rows(device: str, quick: bool) -> Iterator[Row]:
    """Double well and mixture of eight, 10,000 chains × 1,000; network, 1,000 × 200."""
    chains, steps = (1000, 100) if quick else (10_000, 1000)
    network = MLP(2)
    cases = [
        Case("double well", DoubleWell(2.0), _jax_double_well, chains, steps),
        Case("mixture of 8", GaussianMixture(MEANS, SCALE), _jax_mixture, chains, steps),
        Case("double well, few chains", DoubleWell(2.0), _jax_double_well, 100, steps),
        Case("network 2-128-128-1", network, _jax_network(network), chains // 10, steps // 5),
    ]
    if device != "cpu" or quick:
        cases += _wide(quick)
    for case in cases:
        yield from _raced(case, device, turns=3 if quick else 5)


def _wide(quick: bool) -> list[Case]:
    known, own = DoubleWell(2.0, WIDE), FunctionEnergy(_own)
    found = []
    for chains, steps in ((8, 20), (16, 20)) if quick else ((1024, 1000), (2**20, 50)):
        for name, energy in {"double well": known, "a user's energy": own}.items():
            found.append(Case(f"{name} of {WIDE}", energy, None, chains, steps, WIDE))
    return found


def _own(y: Tensor) -> Tensor:
    return (0.5 * y.square() + y.cos()).sum(-1)


def _raced(case: Case, device: str, turns: int) -> Iterator[Row]:
    rng = torch.Generator(device).manual_seed(0)
    start = torch.randn(case.chains, case.dim, generator=rng, device=device)
    energy = case.energy.to(device)
    contenders = _ours(energy, start, case.steps)
    if installed("torchebm"):
        contenders["torchebm"] = _torchebm(energy, start, case.steps)
    if installed("jax") and device == "cpu" and case.slope is not None:
        contenders["jax scan"] = _jax(case.slope, start, case.steps)
    times = race(contenders, device, turns)
    name = f"{case.name}, {case.chains} chains × {case.steps}"
    for row in compared("langevin", name, "compiled", times):
        yield replace(row, note=f"{1e6 * row.seconds / case.steps:.3g} µs a step; {row.note}")


def _ours(energy: Energy, start: Tensor, steps: int) -> dict[str, Callable[[], Any]]:
    rng = torch.Generator(start.device).manual_seed(1)
    u = energy.given()
    return {
        "compiled": lambda: run(Langevin(STEP), u, start, steps=steps, rng=rng, compile=True),
        "ebmlab eager": lambda: run(Langevin(STEP), u, start, steps=steps, rng=rng),
    }


def _torchebm(energy: Energy, start: Tensor, steps: int) -> Callable[[], Any]:
    from torchebm.core import BaseModel
    from torchebm.samplers import LangevinDynamics

    class Model(BaseModel):
        def forward(self, x: Tensor) -> Tensor:
            return energy(None, x)

    sampler = LangevinDynamics(Model().to(start.device), step_size=STEP, device=start.device)
    return lambda: sampler.sample(x=start, n_steps=steps)


def _jax(energy: Callable[[Any], Any], start: Tensor, steps: int) -> Callable[[], Any]:
    import jax

    y = jax.numpy.asarray(start.numpy())
    slope = jax.grad(lambda y: energy(y).sum())

    @jax.jit
    def chains(y: Any, key: Any) -> Any:
        def step(y: Any, key: Any) -> tuple[Any, None]:
            noise = jax.random.normal(key, y.shape, y.dtype)
            return y - STEP * slope(y) + math.sqrt(2 * STEP) * noise, None

        return jax.lax.scan(step, y, jax.random.split(key, steps))[0]

    key = jax.random.key(0)
    return lambda: chains(y, key).block_until_ready()


def _jax_double_well(y: Any) -> Any:
    return 2.0 * (y[:, 0] ** 2 - 1) ** 2 + 0.5 * y[:, 1] ** 2


def _jax_mixture(y: Any) -> Any:
    import jax

    means = jax.numpy.asarray(MEANS.numpy())
    # The components come first: the faster of the two layouts for this compiler.
    squared = ((y[None] - means[:, None]) ** 2).sum(-1)
    return -jax.nn.logsumexp(-squared / (2 * SCALE**2), axis=0)


def _jax_network(energy: MLP) -> Callable[[Any], Any]:
    linear = [layer for layer in energy.network.modules() if isinstance(layer, nn.Linear)]

    def network(y: Any) -> Any:
        import jax

        for k, layer in enumerate(linear):
            y = y @ jax.numpy.asarray(layer.weight.detach().cpu().numpy()).T
            y = y + jax.numpy.asarray(layer.bias.detach().cpu().numpy())
            y = jax.nn.silu(y) if k < len(linear) - 1 else y
        return y[:, 0]

    return network
