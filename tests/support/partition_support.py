"""Targets with known log Z and exact draws, and a judge of repeated estimates."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from discrete_support import binary_states
from problems import F64, PLANE, RATE, ellipse, f64, generator, has_mean, has_variance, randn
from scipy import stats
from torch import Tensor

from ebmlab.energies import RBM, Bernoulli, Gaussian
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.partition import Estimate, RBMPath, ais, rbm_log_z, reverse_ais, smc
from ebmlab.partition.course import Start
from ebmlab.samplers import MALA
from ebmlab.types import Potential

REPETITIONS = 50
BETA = 3.0


@dataclass(frozen=True)
class Target:
    """A potential whose log Z is known and which can be drawn from, and a way to it."""

    u: Potential
    log_z: float
    draw: Callable[[int, torch.Generator], Tensor]
    start: Start
    kernel: Any
    steps: int
    options: dict[str, Any] = field(default_factory=dict)

    def times(self, steps: int | None = None) -> Tensor:
        return torch.linspace(0, 1, (steps or self.steps) + 1, dtype=F64)

    def forward(self, chains: int, seed: int, steps: int | None = None) -> Estimate:
        return ais(
            self.u,
            self.start,
            self.kernel,
            times=self.times(steps),
            chains=chains,
            rng=generator(seed),
            **self.options,
        )

    def backward(self, chains: int, seed: int, steps: int | None = None) -> Estimate:
        rng = generator(seed)
        return reverse_ais(
            self.u,
            self.draw(chains, rng),
            self.start,
            self.kernel,
            times=self.times(steps),
            rng=rng,
            **self.options,
        )

    def sequential(self, populations: int, particles: int, seed: int, steps: int) -> Estimate:
        return smc(
            self.u,
            self.start,
            self.kernel,
            times=self.times(steps),
            particles=particles,
            populations=populations,
            rng=generator(seed),
            **self.options,
        )


def wide(variance: float) -> Gaussian:
    return Gaussian(torch.zeros(2, dtype=F64), variance * torch.eye(2, dtype=F64))


def gaussian() -> Target:
    target = PLANE["gaussian"].density
    return Target(target.given(), float(target.log_z), target.sample, wide(1.5), MALA(0.3), 60)


def mixture() -> Target:
    target = PLANE["mixture"].density
    return Target(
        target.given(),
        float(target.log_z),
        target.sample,
        wide(6.0),
        lambda t: MALA(0.15 + (1 - t) ** 2),
        90,
    )


def ellipse_at(beta: float = BETA) -> tuple[Potential, float]:
    """β F_β of the ellipse, and the log of its integral (π/β)^{d/2}."""
    energy, atoms = ellipse()
    free = FreeEnergy(energy, Enumerate(atoms), 1 / beta)
    return (free / (1 / beta)).given(), math.log(math.pi / beta)


def around_the_ellipse() -> Target:
    u, log_z = ellipse_at()

    def draw(n: int, rng: torch.Generator) -> Tensor:
        angle = torch.randint(48, (n, 1), generator=rng) * (math.pi / 24)
        noise = torch.randn(n, 2, generator=rng, dtype=F64) / (2 * BETA) ** 0.5
        return f64([2.0, 1.5]) * torch.cat([angle.cos(), angle.sin()], dim=1) + noise

    return Target(u, log_z, draw, wide(1.5), lambda t: MALA(0.12 + 0.3 * (1 - t)), 40)


def machine(visible: int = 24, hidden: int = 12, size: float = 0.6) -> RBM:
    rbm = RBM(visible, hidden).double()
    with torch.no_grad():
        for i, parameter in enumerate(rbm.parameters()):
            parameter.copy_(size * randn(*parameter.shape, seed=i))
    return rbm


def restricted() -> Target:
    rbm = machine()
    path = RBMPath(rbm, Bernoulli(rbm.visible_bias.detach()))
    states = binary_states(12)
    law = (-rbm.hidden_energy(states)).detach().softmax(0)

    def draw(n: int, rng: torch.Generator) -> Tensor:
        h = states[torch.multinomial(law, n, replacement=True, generator=rng)]
        uniform = torch.rand(n, 24, generator=rng, dtype=F64)
        return (uniform < rbm.visible_logits(h).detach().sigmoid()).to(F64)

    exact = float(rbm_log_z(rbm).log_z)
    options = {"between": path.at}
    return Target(rbm.given(), exact, draw, path.start, path.kernel, 100, options)


MAKERS = {
    "gaussian": gaussian,
    "mixture": mixture,
    "ellipse": around_the_ellipse,
    "machine": restricted,
}


@cache
def target(name: str) -> Target:
    return MAKERS[name]()


def repeated(estimate: Estimate, repetitions: int = REPETITIONS) -> tuple[Tensor, Tensor]:
    """log Z and standard errors of the repetitions that independent chains are split into."""
    assert estimate.log_weights is not None
    again = {"lower": Estimate.from_weights, "upper": Estimate.from_inverse_weights}
    parts = [again[estimate.bound](w) for w in estimate.log_weights.reshape(repetitions, -1)]
    return torch.stack([p.log_z for p in parts]), torch.stack([p.standard_error for p in parts])


def honest(log_z: Tensor, error: Tensor, exact: float, rate: float = RATE) -> bool:
    """Whether repeated estimates miss by what their standard errors say, neither more nor less.

    Of honest Gaussian errors 0.27 % lie beyond three standard errors, the standardized ones have
    mean 0, and their squares sum to χ²; each is judged at a third of the rate. Of 50, four may lie
    beyond.
    """
    standardized = (log_z - exact) / error
    beyond = int((standardized.abs() > 3).sum())
    chance = float(stats.binom.sf(beyond - 1, len(log_z), 2 * stats.norm.sf(3)))
    third = rate / 3
    centered = has_mean(standardized, 0.0, 1.0, third)
    return chance > third and centered and has_variance(standardized, 1.0, third)


def meets(estimate: Estimate, exact: float) -> bool:
    """Whether one estimate from many chains may be of this value."""
    z = (estimate.log_z - exact) / estimate.standard_error
    return bool(2 * stats.norm.sf(abs(float(z))) > RATE)
