"""The leapfrog integrator, in whitened momenta."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import row_sums
from ebmlab._tracing import tracing
from ebmlab.kernels.lowering import looped
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


def leap(
    u: Potential,
    metric: Metric,
    phase: Phase,
    step_size: float | Tensor,
    kept: Callable[[Tensor], Tensor] = lambda v: v,
) -> Phase:
    """One leapfrog step: r -= ε/2 Lᵀ∇u; y += ε L r; r -= ε/2 Lᵀ∇u; one new gradient.

    A step size may be a number, or one per chain shaped to meet (chains, *event); negative ones go
    back in time. `kept` gives the new point and its momentum as they are to lie in memory.

    Source: Duane et al. 1987; Neal 2011.
    """
    half = 0.5 * step_size
    momentum = phase.momentum - half * metric.gather(phase.grad)
    y = kept(phase.y + step_size * metric.spread(momentum))
    energy, grad = u.value_and_grad(y)
    return Phase(y, energy, grad, kept(momentum - half * metric.gather(grad)))


def trajectory(
    u: Potential, metric: Metric, phase: Phase, step_size: float | Tensor, steps: int | Tensor
) -> Phase:
    """`steps` leaps in a row, the half kicks between them joined: `steps` new gradients.

    Compiled, a number given as a tensor () of int64 may change without a recompilation.
    """
    half = 0.5 * step_size

    def glide(phase: Phase, step_size: float | Tensor) -> Phase:
        y = phase.y + step_size * metric.spread(phase.momentum)
        energy, grad = u.value_and_grad(y)
        return Phase(y, energy, grad, phase.momentum - step_size * metric.gather(grad))

    kicked = phase.momentum - half * metric.gather(phase.grad)
    end = _repeat(glide, phase._replace(momentum=kicked), step_size, steps)
    return end._replace(momentum=end.momentum + half * metric.gather(end.grad))


_Glide = Callable[[Phase, float | Tensor], Phase]


def _repeat(glide: _Glide, phase: Phase, step_size: float | Tensor, steps: int | Tensor) -> Phase:
    if tracing() and isinstance(steps, Tensor):
        return _loop(glide, phase, step_size, steps, 1)
    body, rest = 1, int(steps)
    if tracing() and steps > 2 * BODY:
        body, rest = BODY, int(steps) % BODY
    for _ in range(rest):
        phase = glide(phase, step_size)
    if body == 1:
        return phase
    turns = torch.full((), int(steps) // BODY, dtype=torch.int64, device=phase.y.device)
    return _loop(glide, phase, step_size, turns, BODY)


def _loop(
    glide: _Glide, phase: Phase, step_size: float | Tensor, turns: Tensor, body: int
) -> Phase:
    """A loop that the compiler keeps as one, `body` steps to a turn."""
    step_size = torch.as_tensor(step_size, dtype=phase.y.dtype, device=phase.y.device)

    def going(turn: Tensor, *given: Tensor) -> Tensor:
        return turn < given[-1]

    def turn_once(turn: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        *parts, step_size, _ = given
        phase = Phase(*parts)
        for _ in range(body):
            phase = glide(phase, step_size)
        return (turn + 1, *(part.clone() for part in phase))

    start = (torch.zeros_like(turns), *(part.clone() for part in phase))
    _, *parts = looped(going, turn_once, start, (step_size, turns))
    return Phase(*parts)
