"""Unadjusted Langevin dynamics."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative, require_positive
from ebmlab.errors import ConfigurationError
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers._steps.start import begin
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.types import Info, Potential, State

__all__ = ["Langevin"]


@dataclass(frozen=True, eq=False)
class Langevin(Kernel):
    """Unadjusted Langevin: y' = y - ε M ∇u(y) + √(2εT) L ξ, ξ ~ N(0, 1), M = L Lᵀ.

    Samples exp(-u / T) up to a bias of order ε; on a unit Gaussian the variance is T / (1 - ε/2).
    Temperature 0 is gradient descent.

    Args:
        step_size: ε > 0.
        temperature: T >= 0, in the units of u.
        metric: M, the identity by default; take it from the warm-up of another kernel.
        clamp: bound c > 0 of each entry of the gradient, which becomes max(-c, min(c, g)). The law
            is then no longer exp(-u / T).
        box: (low, high), numbers or tensors (*event); steps that would leave are reflected.

    Raises:
        ConfigurationError: low is not below high; a chain starts outside the box.

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> run(Langevin(0.1), u, torch.zeros(1000, 2), steps=50, rng=rng).state.y.var() > 0.9
        tensor(True)

    Source: Parisi 1981; Roberts, Tweedie 1996; Welling, Teh 2011.
    """

    numbers: ClassVar[tuple[str, ...]] = ("step_size", "temperature")

    step_size: float | Tensor
    temperature: float | Tensor = 1.0
    metric: Metric = IDENTITY
    clamp: float | None = None
    box: tuple[float | Tensor, float | Tensor] | None = None

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_non_negative("temperature", self.temperature)
        if self.clamp is not None:
            require_positive("clamp", self.clamp)
        if self.box is not None and not bool(torch.as_tensor(self.box[1] > self.box[0]).all()):
            raise ConfigurationError(f"box is {self.box}; low must lie below high")

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
        """Energies and gradients at the start, which must lie in the box."""
        if self.box is not None and not bool(((y >= self.box[0]) & (y <= self.box[1])).all()):
            raise ConfigurationError("y starts outside the box of Langevin; clamp it yourself")
        return begin(u, y)

    def draw(self, state: State, source: Source) -> Tensor:
        """The push of the heat bath, (chains, *event)."""
        return source.normal(state.y)

    def move(self, u: Potential, state: State, noise: Tensor) -> tuple[State, Info]:
        """One step of every chain; nothing is rejected."""
        m, grad = self.metric, state.grad
        if self.clamp is not None:
            # An infinite gradient must not vanish in the clamp: 0 * ∞ is NaN, and is seen.
            grad = grad.clamp(-self.clamp, self.clamp) + 0 * grad
        drift = m.spread(m.gather(grad))
        size = (2 * self.step_size * self.temperature) ** 0.5
        y = state.y - self.step_size * drift + size * m.spread(noise)
        if self.box is not None:
            y = _reflected(y, *self.box)
        return State(y, *u.value_and_grad(y)), Info(torch.ones_like(state.energy))


def _reflected(y: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """Fold y back between two walls, however far it went."""
    width = high - low
    return low + width - (torch.remainder(y - low, 2 * width) - width).abs()
