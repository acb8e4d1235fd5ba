"""Stein variational gradient descent: chains that descend together and repel each other."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pdist

from ebmlab._checks import require_positive
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.kernel import Kernel
from ebmlab.types import Info, Potential, State

__all__ = ["SVGD"]


@dataclass(frozen=True, eq=False)
class SVGD(Kernel):
    """Particles that fill exp(-u): all chains are one population, and no random number is drawn.

    y_i += ε/n Σ_j [∇_{y_j} k(y_j, y_i) - k(y_j, y_i) ∇u(y_j)], k(a, b) = exp(-‖a - b‖² / h):
    the second term drives all particles down, the first keeps them apart. One particle alone
    descends to a minimum. What n particles converge to is no sample but a deterministic
    approximation, too narrow where n is small beside the dimension.

    Chains are coupled, so u must be the same for all: no x of their own. Memory is O(n²) numbers.

    Args:
        step_size: ε > 0.
        bandwidth: h > 0, in the units of y squared. None takes at every step the median squared
            distance of the pairs over log n, or 1 where half of them or more coincide.

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u, start = lambda y: 0.5 * (y - 3).square().sum(-1), torch.linspace(-1, 1, 50)[:, None]
        >>> run(SVGD(0.5), u, start, steps=300, rng=rng).state.y.mean(0)
        tensor([3.0000])

    Source: Liu, Wang 2016, arXiv:1608.04471.
    """

    step_size: float | Tensor
    bandwidth: float | Tensor | None = None

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        if self.bandwidth is not None:
            require_positive("bandwidth", self.bandwidth)

    def draw(self, state: State, source: Source) -> tuple[()]:
        """Nothing: the dynamics are deterministic."""
        return ()

    def move(self, u: Potential, state: State, noise: tuple[()]) -> tuple[State, Info]:
        """One step of the whole population."""
        n = len(state.y)
        grad = state.grad.reshape(n, -1)
        # Differences are all that matters, and are most exact near the origin.
        at = state.y.reshape(n, -1)
        at = at - at.mean(0)
        squared = torch.cdist(at, at, compute_mode="donot_use_mm_for_euclid_dist").square()
        h = _median(at) if self.bandwidth is None else self.bandwidth
        near = (-squared / h).exp()
        apart = (2 / h) * (near.sum(1, keepdim=True) * at - near @ at)
        y = state.y + (self.step_size / n) * (apart - near @ grad).reshape(state.y.shape)
        return State(y, *u.value_and_grad(y)), Info(torch.ones_like(state.energy))


def _median(at: Tensor) -> Tensor:
    """The bandwidth at which the n neighbors of a particle count as much as itself."""
    if len(at) == 1:
        return torch.ones_like(at[0, 0])
    h = pdist(at).median().square() / math.log(len(at))
    return torch.where(h > 0, h, 1.0)
