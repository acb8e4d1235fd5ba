"""Accelerated proximal-gradient steps on rows, and tiles of linear problems that take them."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ebmlab._precise import precise
from ebmlab._rows import row_sums
from ebmlab.inference._solvers.composite import LinearComposite
from ebmlab.inference._solvers.convergence import rounding
from ebmlab.inference._solvers.prox import Penalty
from ebmlab.kernels.programs import Program

__all__ = ["Momentum", "Solved", "solve_linear"]

BLOCK = 10
TILE = {"cpu": 256}
LARGE_TILE = 65536

Settled = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class Momentum(NamedTuple):
    """Where rows stand (rows, dim), where their next gradient is taken; their clock (rows,)."""

    z: Tensor
    ahead: Tensor
    clock: Tensor

    @classmethod
    def begin(cls, z: Tensor) -> Self:
        return cls(z, z.clone(), torch.ones_like(z[:, 0]))

    def moved(self, new: Tensor, accelerate: bool) -> Self:
        """On to `new`, and beyond it; rows that turned against their momentum start afresh.

        A row turns where (ahead - new)·(new - z) > 0: the gradient points against the motion.
        """
        if not accelerate:
            return type(self)(new, new.clone(), self.clock)
        step = new - self.z
        turned = row_sums((self.ahead - new) * step) > 0
        clock = torch.where(turned, 1.0, self.clock)
        later = 0.5 * (1 + (1 + 4 * clock.square()).sqrt())
        return type(self)(new, new + ((clock - 1) / later)[:, None] * step, later)


class Solved(NamedTuple):
    """What rows have come to: codes (rows, dim), energies and residuals (rows,).

    `pull` is the length of the smooth part's slope, which the penalty balances at a minimum.
    """

    z: Tensor
    energy: Tensor
    residual: Tensor
    pull: Tensor


class _Linear(NamedTuple):
    """‖W z - y‖² as its steps need it, and how strong the penalty is.

    `gram` is WᵀW where that takes fewer operations.
    """

    weight: Tensor
    gram: Tensor | None
    curvature: Tensor
    strength: Tensor

    @classmethod
    def of(cls, u: LinearComposite) -> Self:
        weight = precise(u.weight.detach()).contiguous()
        m, dim = weight.shape
        gram = weight.T @ weight if dim < 2 * m else None
        strength = torch.as_tensor(u.strength, dtype=weight.dtype, device=weight.device).detach()
        return cls(weight, gram, u.lipschitz(), strength)

    def shift(self, target: Tensor) -> Tensor:
        """What of the rows' y the slope needs."""
        return target if self.gram is None else target @ self.weight

    def slope(self, z: Tensor, shift: Tensor) -> Tensor:
        """2 Wᵀ(W z - y)."""
        if self.gram is None:
            return 2 * ((z @ self.weight.T - shift) @ self.weight)
        return 2 * (z @ self.gram - shift)


_Held = tuple[Penalty, _Linear, int, bool]


def _block(held: _Held, *moving: Any) -> tuple[Momentum, Solved]:
    """`length` steps of all rows; the pull is the largest at the ends of blocks.

    The residual is that at the last point the gradient was taken; the step, a contraction where f
    is convex, does not enlarge it.
    """
    penalty, linear, length, accelerate = held
    target, now, pull = moving
    shift, step, last = linear.shift(target), 1 / linear.curvature, now.ahead
    for k in range(length):
        last, slope = now.ahead, linear.slope(now.ahead, shift)
        if k in (0, length - 1):
            pull = torch.maximum(pull, slope.square().sum(1).sqrt())
        new = penalty.prox(last - step * slope, step * linear.strength)
        now = now.moved(new, accelerate)
    residual = linear.curvature * (last - now.z).square().sum(1).sqrt()
    error = (now.z @ linear.weight.T - target).square().sum(1)
    energy = error + linear.strength * penalty.value(now.z)
    return now, Solved(now.z, energy, residual, pull)


def solve_linear(
    u: LinearComposite,
    start: Tensor,
    settled: Settled,
    *,
    steps: int,
    accelerate: bool,
    compiled: bool,
) -> tuple[Solved, Tensor]:
    """Take the rows through a tile that fits the cache, each leaving it as it settles.

    A row that has settled, or has taken its steps, makes room for the next one: the shapes stay,
    and no row waits for another. All in float32 or better. Which have settled, (rows,) of bool,
    comes beside what was found.
    """
    given, start, target = start.dtype, precise(start), precise(u.target.detach())
    linear = _Linear.of(u)
    length = min(BLOCK, steps)
    held = u.penalty, linear, length, accelerate
    blocks = Program(_block, held) if compiled and length == BLOCK else partial(_block, held)
    size = min(len(start), TILE.get(start.device.type, LARGE_TILE))
    row = torch.arange(size, device=start.device)
    now, y = Momentum.begin(start[:size].clone()), target[:size].clone()
    age, pull = torch.zeros_like(row), torch.zeros_like(y[:, 0])
    out = Solved(start.clone(), *start.new_empty(3, len(start)))
    live, queued = torch.ones_like(row, dtype=torch.bool), size
    converged = torch.zeros(len(start), dtype=torch.bool, device=start.device)
    while True:
        with torch.no_grad():
            now, found = blocks(y, now, pull)
        age, pull = age + length, found.pull
        noise = rounding(linear.curvature, found.energy.abs(), found.z)
        ended = settled(found.residual, pull, pull, noise)
        leaving = (live & (ended | (age >= steps))).nonzero()[:, 0]
        if not len(leaving):
            continue
        for whole, part in zip(
            (*out, converged), (*found, ended | (found.residual <= noise)), strict=True
        ):
            whole[row[leaving]] = part[leaving]
        slots = leaving[: len(start) - queued]
        fresh = torch.arange(queued, queued + len(slots), device=row.device)
        live[leaving], live[slots], row[slots], age[slots] = False, True, fresh, 0
        y[slots], pull[slots] = target[fresh], 0.0
        queued += len(slots)
        for part, first in zip(now, Momentum.begin(start[fresh]), strict=True):
            part[slots] = first
        if not bool(live.any()):
            return Solved(*(part.to(given) for part in out)), converged
