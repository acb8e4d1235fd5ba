"""Unadjusted Langevin dynamics."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ebmlab.checks import require_non_negative, require_positive
from ebmlab.samplers.start import begin, noise_like
from ebmlab.types import Info, Potential, State

__all__ = ["Langevin"]


@dataclass(frozen=True, eq=False)
class Langevin:
    """Unadjusted Langevin: y' = y - ε ∇u(y) + √(2εT) ξ, ξ ~ N(0, 1).

    Samples exp(-u / T) up to a bias of order ε; on a unit Gaussian the variance is T / (1 - ε/2).
    Temperature 0 is gradient descent.

    Args:
        step_size: ε > 0.
        temperature: T >= 0, in the units of u.

    Raises:
        ConfigurationError: step_size <= 0, temperature < 0, or either is not finite.

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> run(Langevin(0.1), u, torch.zeros(1000, 2), steps=50, rng=rng).state.y.var() > 0.9
        tensor(True)

    Source: Parisi 1981; Roberts, Tweedie 1996; Welling, Teh 2011.
    """

    step_size: float | Tensor
    temperature: float | Tensor = 1.0

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_non_negative("temperature", self.temperature)

    @classmethod
    def from_noise(cls, step_size: float, noise: float) -> Self:
        """The same dynamics written y - ε ∇u + N(0, s²): its temperature is s² / 2ε.

        Example:
            >>> Langevin.from_noise(step_size=10.0, noise=0.005).temperature
            1.25e-06
        """
        require_positive("step_size", step_size)
        require_non_negative("noise", noise)
        return cls(step_size, noise**2 / (2 * step_size))

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> State:
        """Energies and gradients at the start."""
        return begin(u, y)

    def step(self, u: Potential, state: State, rng: torch.Generator) -> tuple[State, Info]:
        """One step of every chain; nothing is rejected."""
        size = (2 * self.step_size * self.temperature) ** 0.5
        y = state.y - self.step_size * state.grad + size * noise_like(state.y, rng)
        return State(y, *u.value_and_grad(y)), Info(torch.ones_like(state.energy))
