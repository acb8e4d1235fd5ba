"""Langevin dynamics whose noise is made inside the update."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative, require_positive
from ebmlab.kernels.philox import fresh_seed
from ebmlab.kernels.update import langevin_update
from ebmlab.samplers._steps.start import begin
from ebmlab.types import Info, Potential, State

__all__ = ["FusedLangevin"]


@dataclass(frozen=True, eq=False)
class FusedLangevin:
    """Unadjusted Langevin, y' = y - ε ∇u(y) + √(2εT) ξ, that moves 12 bytes per number and step.

    The law of `Langevin`, made for CUDA: a step takes one 63-bit seed from the generator, and ξ
    comes from Philox at each element's place, in one Triton kernel with the update. Elsewhere
    plain torch makes the same numbers; it is slow there, and `Langevin` is the faster choice. A
    given seed gives the same chain on every device, to rounding. The noise has float32's
    precision whatever y's, and stays within 5.68 standard deviations. It is no `Kernel`: with
    `run(…, compile=True)` the potential is compiled and the update, fused as it is, is not.

    Args:
        step_size: ε > 0; a number, since tensors take the path of plain torch.
        temperature: T >= 0, in the units of u.
        clamp: bound c > 0 of each entry of the gradient, which becomes max(-c, min(c, g)). The law
            is then no longer exp(-u / T).

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> chain = run(FusedLangevin(0.1), u, torch.zeros(1000, 2), steps=50, rng=rng)
        >>> chain.state.y.var() > 0.9
        tensor(True)

    Source: Parisi 1981; Salmon, Moraes, Dror, Shaw 2011 (the numbers).
    """

    step_size: float | Tensor
    temperature: float | Tensor = 1.0
    clamp: float | None = None

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_non_negative("temperature", self.temperature)
        if self.clamp is not None:
            require_positive("clamp", self.clamp)

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> State:
        """Energies and gradients at the start."""
        return begin(u, y)

    def step(self, u: Potential, state: State, rng: torch.Generator) -> tuple[State, Info]:
        """One step of every chain; nothing is rejected."""
        numbers = fresh_seed(rng), self.step_size, self.temperature
        y = langevin_update(state.y, state.grad, *numbers, clamp=self.clamp)
        return State(y, *u.value_and_grad(y)), Info(torch.ones_like(state.energy))
