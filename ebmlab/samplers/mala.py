"""Langevin proposals with a Metropolis test."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab.checks import require_positive
from ebmlab.samplers.start import begin, finite_rows, noise_like, row_sums, rows
from ebmlab.types import Potential, State

__all__ = ["MALA", "MetropolisInfo"]


class MetropolisInfo(NamedTuple):
    """Acceptance probabilities, and which proposals were not finite (rejected), both (chains,)."""

    acceptance: Tensor
    nonfinite: Tensor


@dataclass(frozen=True, eq=False)
class MALA:
    """Metropolis-adjusted Langevin: leaves exp(-u) exactly invariant at any step size.

    Propose y' = y - ε ∇u + √(2ε) ξ and accept with probability
    min(1, exp(u(y) - u(y')) q(y | y') / q(y' | y)), q the density of the proposal. A proposal
    whose energy or gradient is NaN or +∞ is rejected and counted.

    Args:
        step_size: ε > 0. For temperature T sample u / T.

    Raises:
        ConfigurationError: step_size is not finite and positive.

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> run(MALA(0.5), u, torch.zeros(100, 2), steps=50, rng=rng).acceptance.mean() > 0.8
        tensor(True)

    Source: Besag 1994; Roberts, Tweedie 1996.
    """

    step_size: float | Tensor

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> State:
        """Energies and gradients at the start."""
        return begin(u, y)

    def step(
        self, u: Potential, state: State, rng: torch.Generator
    ) -> tuple[State, MetropolisInfo]:
        """Propose and accept or reject every chain on its own."""
        noise = noise_like(state.y, rng)
        threshold = torch.rand(
            state.energy.shape, generator=rng, dtype=noise.dtype, device=noise.device
        )
        y = state.y - self.step_size * state.grad + (2 * self.step_size) ** 0.5 * noise
        energy, grad = u.value_and_grad(y)
        finite = energy.isfinite() & finite_rows(grad)

        # The way back needs the noise that would lead from y to state.y.
        back = noise - (0.5 * self.step_size) ** 0.5 * (state.grad + grad)
        log_ratio = 0.5 * row_sums(noise.square() - back.square())
        log_accept = state.energy - energy + log_ratio
        probability = torch.where(finite, log_accept.clamp(max=0).exp(), 0.0)
        unbounded = energy.isneginf()
        accept = (threshold < probability) | unbounded
        moved = State(
            torch.where(rows(accept, y), y, state.y),
            torch.where(accept, energy, state.energy),
            torch.where(rows(accept, grad), grad, state.grad),
        )
        return moved, MetropolisInfo(probability, (~finite).to(probability))
