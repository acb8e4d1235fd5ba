"""The same toy data for all: moons, two views of them, a relation with several answers."""

import torch
from torch import Tensor

from ebmlab import data


def moons() -> Tensor:
    """2,000 points of two moons."""
    return data.toys.two_moons(2000, torch.Generator().manual_seed(0))


def views(n: int, rng: torch.Generator) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Two blurred copies of n points of two moons, as x and as y."""
    y = data.toys.two_moons(n, rng)
    two = tuple(y + 0.2 * torch.randn(n, 2, generator=rng) for _ in range(2))
    return two, two


def pairs(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """One blurred copy of n points of two moons as x, another as y."""
    y = data.toys.two_moons(n, rng)
    x, y = (y + 0.2 * torch.randn(n, 2, generator=rng) for _ in range(2))
    return x, y


def answers() -> tuple[Tensor, Tensor]:
    """2,000 pairs (x, y) with y = x or y = -x, up to noise."""
    return data.relations.crossing_lines(2000, torch.Generator().manual_seed(0))
