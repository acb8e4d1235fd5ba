"""What kernels share: a checked start, and random numbers."""

import torch
from torch import Tensor

from ebmlab.rows import require_finite
from ebmlab.types import Potential, State

__all__ = ["begin", "noise_like", "uniform_like"]


def begin(u: Potential, y: Tensor) -> State:
    """The state of chains that start at y; raises where one has no finite energy or gradient."""
    state = State(y.detach(), *u.value_and_grad(y))
    require_finite(state.y, state.energy, state.grad, "y: chain")
    return state


def noise_like(y: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal noise of y's shape, type and device."""
    return torch.randn(y.shape, generator=rng, dtype=y.dtype, device=y.device)


def uniform_like(values: Tensor, rng: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1) of the values' shape, type and device."""
    return torch.rand(values.shape, generator=rng, dtype=values.dtype, device=values.device)
