"""The leapfrog integrator, in whitened momenta."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import row_sums
from ebmlab.samplers.metric import Metric
from ebmlab.types import Potential, State

__all__ = ["DIVERGENT", "Phase", "kinetic", "leap", "trajectory"]

# A trajectory whose energy is off by more has left the true one for good.
DIVERGENT = 1000.0

# Compiled trajectories repeat a body of so many steps: longer ones compile slowly and run hardly
# faster.
BODY = 5


class Phase(NamedTuple):
    """A point of phase space; momenta r are whitened: standard normal at rest, whatever M."""

    y: Tensor
    energy: Tensor
    grad: Tensor
    momentum: Tensor

    @property
    def state(self) -> State:
        return State(self.y, self.energy, self.grad)


def kinetic(momentum: Tensor) -> Tensor:
    """½ ‖r‖² of each chain: (chains, *event) -> (chains,)."""
    return 0.5 * row_sums(momentum.square())


def leap(u: Potential, metric: Metric, phase: Phase, step_size: float | Tensor) -> Phase:
    """One leapfrog step: r -= ε/2 Lᵀ∇u; y += ε L r; r -= ε/2 Lᵀ∇u; one new gradient.

    A step size may be a number, or one per chain shaped to meet (chains, *event); negative ones go
    back in time.

    Source: Duane et al. 1987; Neal 2011.
    """
    half = 0.5 * step_size
    momentum = phase.momentum - half * metric.gather(phase.grad)
    y = phase.y + step_size * metric.spread(momentum)
    energy, grad = u.value_and_grad(y)
    return Phase(y, energy, grad, momentum - half * metric.gather(grad))


def trajectory(
    u: Potential, metric: Metric, phase: Phase, step_size: float | Tensor, steps: int | Tensor
) -> Phase:
    """`steps` leaps in a row, the half kicks between them joined: `steps` new gradients.

    Compiled, a number given as a tensor () of int64 may change without a recompilation.
    """
    half = 0.5 * step_size

    def glide(phase: Phase) -> Phase:
        y = phase.y + step_size * metric.spread(phase.momentum)
        energy, grad = u.value_and_grad(y)
        return Phase(y, energy, grad, phase.momentum - step_size * metric.gather(grad))

    kicked = phase.momentum - half * metric.gather(phase.grad)
    end = _repeat(glide, phase._replace(momentum=kicked), steps)
    return end._replace(momentum=end.momentum + half * metric.gather(end.grad))


def _repeat(glide: Callable[[Phase], Phase], phase: Phase, steps: int | Tensor) -> Phase:
    if torch.compiler.is_compiling() and isinstance(steps, Tensor):
        return _loop(glide, phase, steps, 1)
    body, rest = 1, int(steps)
    if torch.compiler.is_compiling() and steps > 2 * BODY:
        body, rest = BODY, int(steps) % BODY
    for _ in range(rest):
        phase = glide(phase)
    if body == 1:
        return phase
    turns = torch.full((), int(steps) // BODY, dtype=torch.int64, device=phase.y.device)
    return _loop(glide, phase, turns, BODY)


def _loop(glide: Callable[[Phase], Phase], phase: Phase, turns: Tensor, body: int) -> Phase:
    """A loop that the compiler keeps as one, `body` steps to a turn."""
    from torch._higher_order_ops.while_loop import while_loop

    def going(turn: Tensor, *_: Tensor) -> Tensor:
        return turn < turns

    def turn_once(turn: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        phase = Phase(*parts)
        for _ in range(body):
            phase = glide(phase)
        return (turn + 1, *(part.clone() for part in phase))

    start = (torch.zeros_like(turns), *(part.clone() for part in phase))
    _, *parts = while_loop(going, turn_once, start)
    return Phase(*parts)
