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
    a, b = (y + 0.2 * torch.randn(n, 2, generator=rng) for _ in range(2))
    return (a, b), (a, b)


def pairs(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """One blurred copy of n points of two moons as x, another as y."""
    y = data.toys.two_moons(n, rng)
    x, y = (y + 0.2 * torch.randn(n, 2, generator=rng) for _ in range(2))
    return x, y


def answers() -> tuple[Tensor, Tensor]:
    """2,000 pairs (x, y) with y = x or y = -x, up to noise."""
    return data.relations.crossing_lines(2000, torch.Generator().manual_seed(0))


def rotations(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points of two moons, turned by right angles, and how often."""
    y, turns = data.toys.two_moons(n, rng), torch.randint(4, (n,), generator=rng)
    matrix = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    turned = torch.stack([torch.linalg.matrix_power(matrix, k) for k in range(4)])[turns]
    return (y[:, None] @ turned)[:, 0], turns


def supported(n: int, rng: torch.Generator) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Two blurred copies as x; as y the same, and 30 points with the number of their moon."""
    two, _ = views(n, rng)
    known = data.toys.two_moons(30, rng)
    return two, (*two, known, moon_of(known))


def moon_of(y: Tensor) -> Tensor:
    """0 for points near the upper moon, 1 for those near the lower one."""
    center = torch.tensor([-0.8, -0.4])
    off = [((y - side * center).norm(dim=1) - 1.6).abs() for side in (1, -1)]
    return (off[0] > off[1]).long()
