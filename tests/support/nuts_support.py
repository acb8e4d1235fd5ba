"""One no-U-turn transition of one chain, written from the definition: no marks, no batch."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from problems import F64
from torch import Tensor

from ebmlab.kernels.threefry import fresh_seeds, normals
from ebmlab.samplers._steps.lots import Lots, lots


class Numbers(NamedTuple):
    """The random numbers of one transition of all chains: momenta, and lots by leaf."""

    momentum: Tensor
    lots: Lots

    @classmethod
    def drawn(cls, shape: tuple[int, int], max_depth: int, rng: torch.Generator) -> "Numbers":
        seed, like = fresh_seeds(rng, 1)[0], torch.empty(shape, dtype=F64)
        leaves = torch.arange(2**max_depth)[:, None]
        return cls(normals(seed, like), lots(seed.expand(shape[0]), leaves, F64))


class Point(NamedTuple):
    y: Tensor
    r: Tensor
    energy: Tensor
    grad: Tensor


class Transition(NamedTuple):
    y: Tensor
    depth: int
    leapfrogs: int
    acceptance: float
    divergent: bool


def at(u: Callable[[Tensor], Tensor], y: Tensor, r: Tensor) -> Point:
    y = y.detach().requires_grad_()
    energy = u(y[None])[0]
    (grad,) = torch.autograd.grad(energy, y)
    return Point(y.detach(), r, energy.detach(), grad)


def turns(points: list[Point]) -> bool:
    """Whether a span of neighbors makes a U-turn, by the sum of its momenta."""
    total = torch.stack([p.r for p in points]).sum(0)
    return bool(total @ points[0].r <= 0 or total @ points[-1].r <= 0)


def spans(size: int) -> list[tuple[int, int]]:
    """First and last leaf of all that must be straight in a branch: blocks, and across halves."""
    found = set()
    for width in (2**k for k in range(1, size.bit_length())):
        for start in range(0, size, width):
            middle, end = start + width // 2, start + width - 1
            found |= {(start, end), (start, middle), (middle - 1, end)}
    return [(a, b) for a, b in found if a < b]


def grown(
    u: Callable[[Tensor], Tensor], start: Point, step: float, size: int, origin: Tensor
) -> tuple[list[Point], list[Tensor], bool, bool]:
    """Leaves up to the first that is bad, their weights, whether all are there, and divergence."""
    points, weights, p = [], [], start
    for leaf in range(size):
        half = p.r - step / 2 * p.grad
        q = at(u, p.y + step * half, half)
        p = q._replace(r=half - step / 2 * q.grad)
        points.append(p)
        weights.append(origin - p.energy - p.r @ p.r / 2)
        if not weights[-1] > -1000:
            return points, weights, False, True
        if any(turns(points[a:]) for a, b in spans(size) if b == leaf):
            return points, weights, False, False
    return points, weights, True, False


def transition(
    u: Callable[[Tensor], Tensor],
    y: Tensor,
    step_size: float,
    numbers: Numbers,
    chain: int,
    max_depth: int = 6,
) -> Transition:
    """One transition from y (d), with the random numbers of one of the chains."""
    picks, joins, times = (part[:, chain].tolist() for part in numbers.lots)
    start = at(u, y, numbers.momentum[chain])
    origin = start.energy + start.r @ start.r / 2
    path, weights, draw = [start], [torch.zeros((), dtype=F64)], start
    depth, leapfrogs, accepted, divergent, future = 0, 0, 0.0, False, True
    while depth < max_depth:
        edge, step = (path[-1], step_size) if future else (path[0], -step_size)
        points, new, whole, divergent = grown(u, edge, step, 2**depth, origin)
        before, leapfrogs = leapfrogs, leapfrogs + len(points)
        accepted += sum(float(w.exp().clamp(max=1)) for w in new if w > -1000)
        if not whole:
            break
        depth += 1
        best = points[0]
        for k in range(len(points)):
            if new[k] - torch.stack(new[: k + 1]).logsumexp(0) >= picks[before + k]:
                best = points[k]
        ratio = torch.stack(new).logsumexp(0) - torch.stack(weights).logsumexp(0)
        if ratio >= joins[leapfrogs - 1]:
            draw = best
        half = len(path)
        path = path + points if future else points[::-1] + path
        weights = weights + new
        if turns(path) or turns(path[: half + 1]) or turns(path[half - 1 :]):
            break
        future = times[leapfrogs - 1] > 0
    return Transition(draw.y, depth, leapfrogs, accepted / leapfrogs, divergent)
