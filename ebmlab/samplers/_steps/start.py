"""What kernels share: a checked start, and random numbers."""

import torch
from torch import Tensor

from ebmlab._rows import require_finite
from ebmlab.types import Potential, State

__all__ = ["begin", "noise_like", "uniform_like"]

# Vectors up to this length are laid out coordinate by coordinate, all chains side by side: loops
# over chains are long, and those over the few coordinates are not.
SHORT = 16


def begin(u: Potential, y: Tensor) -> State:
    """The state of chains that start at y; raises where one has no finite energy or gradient."""
    if _short(y):
        y = y.mT.contiguous().mT
    state = State(y.detach(), *u.value_and_grad(y))
    require_finite(state.y, state.energy, state.grad, "y: chain")
    return state


def noise_like(y: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal noise of y's shape, type and device, laid out as y is."""
    if _short(y):
        shape = y.shape[::-1]
        return torch.randn(shape, generator=rng, dtype=y.dtype, device=y.device).mT
    return torch.randn(y.shape, generator=rng, dtype=y.dtype, device=y.device)


def uniform_like(values: Tensor, rng: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1) of the values' shape, type and device."""
    return torch.rand(values.shape, generator=rng, dtype=values.dtype, device=values.device)


def _short(y: Tensor) -> bool:
    return y.ndim == 2 and y.shape[1] <= SHORT
