"""The beginning of a warm-up: every chain comes in by itself, led by the curvature around it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import row_sums, rows
from ebmlab.samplers._steps.stragglers import near, reach
from ebmlab.samplers._warmup.curvature import Local, bend
from ebmlab.samplers.heated import Heated
from ebmlab.samplers.hmc import HMC
from ebmlab.samplers.metric import Metric
from ebmlab.types import Potential, State

__all__ = ["Settled", "come_in"]

LEAPS = 4
WIDEST = 1.0
# Up to so many dimensions curvature costs little beside the transition.
FEW = 10
# Enough to spread over home.
REST = 10
# Transitions at most, of chains whose energies fall all the way.
LONGEST = 1000


class Settled(NamedTuple):
    """Where chains stand, the metric of each, and how many transitions it took."""

    state: State
    metric: Metric
    steps: int


def come_in(
    u: Potential,
    state: State,
    metric: Metric,
    steps: int,
    rng: torch.Generator,
    moved: Callable[[int], None],
    rest: int = REST,
) -> Settled:
    """Move every chain by HMC with a step size, and a `Local` metric, of its own.

    The metric of a chain is |H|⁻¹ where it stands until it has come home, ‖Lᵀ g‖² being what it is
    on a Gaussian, d, or little more; then it stays, since a metric that follows its chain draws
    it to where curvature is high. A `metric` that is not local stays from the beginning. Chains
    high above the lowest move at a temperature that falls with them. While the energy of a chain
    falls by more than the energies of draws differ, all go on.

    `steps` transitions are made at most where no energy falls any more, and `rest` after the last
    in which a chain was not at home; `moved` is called with 1 after each of the first `steps`.
    """
    dim = state.y[0].numel()
    size = torch.full_like(state.energy, 0.5 * WIDEST)
    far, made, last = torch.full_like(size, isinstance(metric, Local), dtype=torch.bool), 0, steps
    limit, before = steps, state.energy
    while made < last:
        warmth = _warmth(state.energy, dim)
        width = warmth.sqrt()
        if made % (1 if dim <= FEW else 3) == 0 and isinstance(metric, Local):
            far = ~_home(state, metric, dim) if made else far
            if bool(far.any()):
                metric = bend(u, state, metric, far, width)
                last = min(made + rest, limit)
        leaps = HMC(rows(size * width, state.y), LEAPS, metric)
        state, info = Heated(leaps, warmth).step(u, state, rng)
        size = (size * (1.5 * (info.acceptance - 0.65)).exp()).clamp(max=WIDEST)
        made += 1
        if made <= steps:
            moved(1)
        if made % REST == 0 or made == limit:
            falls = bool((state.energy < before - reach(dim)).any())
            before = state.energy
            if falls and made == limit < LONGEST:
                limit = last = made + REST
    return Settled(state, metric, made)


def _warmth(energy: Tensor, dim: int) -> Tensor:
    """The temperature of each chain: 1, or the share of its height above the lowest chain.

    At T = 1 no leapfrog is exact enough for a test of energies far above d.
    """
    return ((energy - energy.min()) / (5 * dim + 20)).clamp(min=1)


def _home(state: State, metric: Local, dim: int) -> Tensor:
    slope = row_sums(metric.gather(state.grad).square())
    return (slope < 5 * dim + 20) & near(state.energy, dim)
