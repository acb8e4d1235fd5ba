"""The explorer's landscapes, its chains with given noise, R-hat, and sets that hold y."""

import torch
from explorer_numbers import Asked, Parts, normal, number, uniform
from torch import Generator

from ebmlab import FunctionEnergy
from ebmlab.energies import Banana, DoubleWell, Funnel, GaussianMixture, Ring
from ebmlab.metrics import rhat
from ebmlab.prediction import calibrate
from ebmlab.samplers import HMC, MALA, Langevin, ParallelTempering
from ebmlab.samplers._steps.leapfrog import Phase, leap
from ebmlab.samplers.hmc import HMCNoise
from ebmlab.samplers.mala import MetropolisNoise
from ebmlab.samplers.metric import IDENTITY

__all__ = ["chains", "landscapes", "mixing", "sets"]

STEPS = 50
MEANS = ((-2.0, 0.0), (2.0, 0.0), (0.0, 1.5))


def _mixture() -> GaussianMixture:
    return GaussianMixture(torch.tensor(MEANS, dtype=torch.float64), 0.5)


def landscapes() -> Asked:
    y = 1.5 * normal(40, 2)
    named = {
        "double_well": DoubleWell(2.0),
        "mixture": _mixture(),
        "ring": Ring(),
        "banana": Banana(),
        "funnel": Funnel(),
    }
    asked: Asked = {}
    for name, energy in named.items():
        heights, slope = energy.given().value_and_grad(y)
        asked[name] = {"y": y}, {"energy": heights, "slope": slope}
    return asked


def chains() -> Asked:
    u, start = _mixture().given(), number(-1.5, 0.5)[None]
    push, limits = normal(STEPS, 1, 2, seed=1), uniform(STEPS, 1, seed=2)
    given = {"start": start, "push": push, "threshold": limits}
    place = number(0.5)[0]
    kernels = {
        "langevin": (Langevin(0.05), lambda i: push[i]),
        "mala": (MALA(0.2), lambda i: MetropolisNoise(push[i], limits[i])),
        "hmc": (HMC(0.3, 8), lambda i: HMCNoise(push[i], limits[i], place)),
    }
    asked: Asked = {}
    for name, (kernel, noise) in kernels.items():
        state, kept = kernel.init(u, start, Generator()), []
        for i in range(STEPS):
            state, _ = kernel.move(u, state, noise(i))
            kept.append(state.y)
        size = {"size": number(kernel.step_size), "steps": number(8)}
        asked[name] = given | size, {"y": torch.stack(kept), "energy": state.energy}
    return asked | {"tempering": _tempering(), "leapfrog": _leapfrog()}


def _tempering() -> tuple[Parts, Parts]:
    temperatures = (1.0, 3.0, 9.0, 27.0)
    push, limits = normal(STEPS, 4, 1, 2, seed=3), uniform(STEPS, 4, 1, seed=4)
    swap, start = uniform(STEPS, 1, 3, seed=5), number(-2.0, 0.0)[None]
    kernel = ParallelTempering(lambda t: MALA(0.1 * t), temperatures)
    u, kept = _mixture().given(), []
    state = kernel.init(u, start, Generator())
    for i in range(STEPS):
        moves = tuple(MetropolisNoise(push[i, k], limits[i, k]) for k in range(4))
        state, _ = kernel.move(u, state, (moves, swap[i]))
        kept.append(state.y)
    given = {"start": start, "push": push, "threshold": limits, "swap": swap}
    given |= {"size": number(0.1), "temperatures": number(*temperatures)}
    return given, {"y": torch.stack(kept)}


def _leapfrog() -> tuple[Parts, Parts]:
    u, start, push = Banana().given(), number(0.5, -0.5)[None], normal(1, 2, seed=6)
    phase, kept = Phase(start, *u.value_and_grad(start), push), []
    for _ in range(20):
        phase = leap(u, IDENTITY, phase, 0.1)
        kept.append(torch.cat([phase.y, phase.momentum], -1))
    given = {"start": start, "push": push, "size": number(0.1), "steps": number(20)}
    return given, {"y": torch.stack(kept)}


def mixing() -> Asked:
    samples = (normal(101, 6, 1, seed=7) + 0.1 * torch.arange(6.0)[:, None]).round(decimals=1)
    p = uniform(200, seed=8)
    return {
        "rhat": ({"samples": samples[..., 0].mT, "chains": number(6)}, {"rhat": rhat(samples)}),
        "quantile": ({"p": p}, {"quantile": torch.special.ndtri(p)}),
    }


def sets() -> Asked:
    y, levels = normal(99, 1, seed=20), number(0.5, 0.8, 0.95)
    energy = FunctionEnergy(lambda y: y.square().sum(-1), variables=("y",))
    found = [calibrate(energy, None, y, float(level)).threshold for level in levels]
    given = {"energies": energy(None, y), "level": levels}
    return {"conformal": (given, {"threshold": torch.stack(found)})}
