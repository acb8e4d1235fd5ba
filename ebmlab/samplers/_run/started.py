"""The beginning of a run or a warm-up: what arrived is checked, and chains get a state."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_generator
from ebmlab._kinds import told
from ebmlab.errors import DtypeError, ShapeError
from ebmlab.protocols import Sampler
from ebmlab.samplers.kernel import Kernel, as_kernel
from ebmlab.types import Potential, Rng, as_potential

__all__ = ["Started", "started"]


class Started(NamedTuple):
    """The sampler as a kernel, the potential it sees, where its chains stand, and rng."""

    kernel: Kernel
    u: Potential
    state: Any
    rng: torch.Generator


def started(
    who: str, sampler: Sampler, function: Callable[[Tensor], Tensor], y: Any, rng: Rng
) -> Started:
    """What `who` runs, from y: a checked tensor of chains, or a state."""
    kernel, u = as_kernel(sampler), as_potential(function)
    given = y if isinstance(y, Tensor) else getattr(y, "y", None)
    if not isinstance(given, Tensor):
        raise DtypeError(
            f"y is of {type(y)}; {who} starts from a tensor (chains, *event), as "
            "torch.as_tensor(y), or from the state of an earlier run"
        )
    rng = require_generator(rng, who, given.device)
    if given.ndim < 1 or len(given) == 0:
        raise ShapeError(f"y has shape {tuple(given.shape)}; it must be (chains, *event)")
    if not isinstance(y, Tensor):
        return Started(kernel, u, y, rng)
    kernel.require(y)
    if y.dtype in {torch.float16, torch.bfloat16}:
        half, low = u, y.dtype
        u = Potential(lambda free: half(free.to(low)).float())
        y = y.float()
    state = told(lambda: kernel.init(u, y, rng), type(sampler).__name__, y=y)
    return Started(kernel, u, state, rng)
