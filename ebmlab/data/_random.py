"""Checked draws of uniform and normal numbers, shared by the toys and the relations."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator
from ebmlab.types import Rng

__all__ = ["normal", "require_draw", "sign", "uniform"]


def require_draw(n: int, rng: Rng, who: str) -> torch.Generator:
    """Return rng, or raise unless n points can be drawn with it."""
    require_counts(n=n)
    return require_generator(rng, who, rng.device if rng is not None else torch.device("cpu"))


def uniform(n: int, rng: torch.Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """U(low, high), shape (n,)."""
    return low + (high - low) * torch.rand(n, generator=rng, device=rng.device)


def normal(n: int, rng: torch.Generator) -> Tensor:
    """N(0, I) of the plane, shape (n, 2)."""
    return torch.randn(n, 2, generator=rng, device=rng.device)


def sign(n: int, rng: torch.Generator) -> Tensor:
    """±1 with equal chances, shape (n,)."""
    return 2.0 * torch.randint(0, 2, (n,), generator=rng, device=rng.device) - 1.0
