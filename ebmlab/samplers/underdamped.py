"""Underdamped Langevin dynamics by the splitting BAOAB."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative, require_positive
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers._steps.start import begin, noise_like
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.types import Info, Potential

__all__ = ["Underdamped", "UnderdampedState"]


class UnderdampedState(NamedTuple):
    """Where a chain stands and how it moves; the momentum r (chains, *event) is whitened."""

    y: Tensor
    energy: Tensor
    grad: Tensor
    momentum: Tensor


@dataclass(frozen=True, eq=False)
class Underdamped(Kernel):
    """Langevin dynamics with inertia: dy = L r dt, dr = -Lᵀ∇u dt - γ r dt + √(2γT) dW.

    One step of size ε is B A O A B, with a = exp(-γε) and one new gradient, in the last line:

        r -= ε/2 Lᵀ∇u;  y += ε/2 L r;  r = a r + √(T (1 - a²)) ξ;  y += ε/2 L r;  r -= ε/2 Lᵀ∇u.

    Nothing is rejected, so that exp(-u / T) is sampled up to a bias of order ε². On a Gaussian y
    has none at all: where u = ½ k y² and M = 1, y has variance T / k at any ε < 2 / √k, beyond
    which the dynamics explode, and r has variance T (1 - ε² k / 4).

    Args:
        step_size: ε > 0, in the units of y where M = 1: the square root of that of `Langevin`.
        friction: γ > 0. Small: long flights; large: like `Langevin` with step ε²/2.
        temperature: T >= 0, in the units of u. 0 is descent with momentum.
        metric: M = L Lᵀ, the inverse of the mass.

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> run(Underdamped(1.0), u, torch.zeros(1000, 2), steps=50, rng=rng).state.y.var() < 1.1
        tensor(True)

    Source: Leimkuhler, Matthews 2013, "Rational construction of stochastic numerical methods for
    molecular sampling".
    """

    step_size: float | Tensor
    friction: float | Tensor = 1.0
    temperature: float | Tensor = 1.0
    metric: Metric = IDENTITY

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_positive("friction", self.friction)
        require_non_negative("temperature", self.temperature)

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> UnderdampedState:
        """Energies and gradients at the start, and momenta of the temperature."""
        start = begin(u, y)
        return UnderdampedState(*start, self.temperature**0.5 * noise_like(start.y, rng))

    def draw(self, state: UnderdampedState, source: Source) -> Tensor:
        """The push of the heat bath, (chains, *event)."""
        return source.normal(state.y)

    def move(
        self, u: Potential, state: UnderdampedState, noise: Tensor
    ) -> tuple[UnderdampedState, Info]:
        """One step of every chain; nothing is rejected."""
        m, half = self.metric, 0.5 * self.step_size
        keep = math.e ** (-self.friction * self.step_size)
        heat = (self.temperature * (1 - keep**2)) ** 0.5
        momentum = state.momentum - half * m.gather(state.grad)
        y = state.y + half * m.spread(momentum)
        momentum = keep * momentum + heat * noise
        y = y + half * m.spread(momentum)
        energy, grad = u.value_and_grad(y)
        momentum = momentum - half * m.gather(grad)
        return UnderdampedState(y, energy, grad, momentum), Info(torch.ones_like(energy))
