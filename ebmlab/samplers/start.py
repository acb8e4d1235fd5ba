"""What gradient-based kernels share: a checked start, noise, and masks over rows."""

import torch
from torch import Tensor

from ebmlab.errors import NonFiniteError
from ebmlab.types import Potential, State

__all__ = ["begin", "finite_rows", "noise_like", "row_sums", "rows"]


def begin(u: Potential, y: Tensor) -> State:
    """The state of chains that start at y; raises where one has no finite energy or gradient."""
    state = State(y.detach(), *u.value_and_grad(y))
    bad = ~(state.energy.isfinite() & finite_rows(state.grad))
    if bad.any():
        chain = int(bad.nonzero()[0])
        raise NonFiniteError(
            f"y: chain {chain} starts (step 0) with energy {float(state.energy[chain])} or a "
            f"gradient that is not finite, at {y[chain].flatten()[:4].tolist()}; start where u "
            "is finite"
        )
    return state


def noise_like(y: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal noise of y's shape, type and device."""
    return torch.randn(y.shape, generator=rng, dtype=y.dtype, device=y.device)


def row_sums(t: Tensor) -> Tensor:
    """Sums over the event: (chains, *event) -> (chains,)."""
    return t if t.ndim == 1 else t.flatten(1).sum(1)


def finite_rows(t: Tensor) -> Tensor:
    """Which rows of (chains, *event) are finite throughout: (chains,)."""
    return t.reshape(len(t), -1).isfinite().all(1)


def rows(mask: Tensor, like: Tensor) -> Tensor:
    """A mask (chains,) shaped to select rows of (chains, *event)."""
    return mask.reshape(-1, *[1] * (like.ndim - 1))
