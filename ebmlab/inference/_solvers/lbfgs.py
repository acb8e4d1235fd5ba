"""L-BFGS on many rows at once: each with its own curvature, line search and convergence."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._rows import depth_limit, finite_rows, norms, require_finite, row_sums, rows, select
from ebmlab.inference._solvers.convergence import Progress, ratio
from ebmlab.inference._solvers.implicit_function import implicit
from ebmlab.inference._solvers.line_search import Bracket
from ebmlab.inference._solvers.point import Found, PointInference, require_bounded
from ebmlab.types import Potential

__all__ = ["LBFGS"]

TRIALS = 20


class LBFGS(PointInference):
    """Minimize by limited-memory BFGS, rows side by side: z' = z - t H ∇u(z).

    H is made of each row's last `history` steps s and gradient changes c (those with sᵀc > 0), and
    t fulfills the Wolfe conditions. One evaluation of all rows serves each row in whichever phase
    it is: some try another t, some move on. Points that are not finite are backed off from, and no
    row ends above its start. `residual` is the norm of the gradient.

    Args:
        starts, tolerance, chunk: see `PointInference`.
        steps: the most evaluations of u per row.
        history: how many steps are remembered.

    With `minimize(…, unroll=True)` the argmin carries the derivative of the implicit function (see
    `implicit`), not that of the steps.

    Example:
        >>> u = Potential(lambda z: (z - 1).square().sum(-1))
        >>> LBFGS().minimize(u, torch.zeros(2, 3)).energy < 1e-8
        tensor([True, True])

    Source: Nocedal 1980; Liu, Nocedal 1989.
    """

    def __init__(
        self,
        starts: Tensor | None = None,
        *,
        steps: int = 200,
        history: int = 10,
        tolerance: float | None = None,
        chunk: int | None = None,
    ) -> None:
        super().__init__(starts, steps=steps, tolerance=tolerance, chunk=chunk)
        require_counts(history=history)
        self.history = history

    def search(self, u: Potential, start: Tensor, *, unroll: bool) -> Found:
        shape, begin = start.shape, start.detach().reshape(len(start), -1)

        def grad_of(flat: Tensor) -> tuple[Tensor, Tensor]:
            energy, grad = u.value_and_grad(flat.reshape(shape))
            return energy, grad.reshape(flat.shape)

        energy, grad = grad_of(begin)
        require_finite(start, energy, grad, "start: row")
        floor = depth_limit(energy)
        now = _Walk.begin(begin, energy, grad, self.history)
        done = converged = self._settled(now)
        lowest = energy
        for _ in range(self.steps):
            if bool(done.all()):
                break
            tried, slopes = grad_of(now.trial())
            lowest = torch.where(done, lowest, torch.fmin(lowest, tried))
            now = now.advance(tried, slopes, done)
            converged = converged | (~done & self._settled(now))
            done = converged | now.stuck | (lowest < floor)
        require_bounded(lowest, floor)
        better = now.energy <= energy
        z = torch.where(rows(better, begin), now.z, begin).reshape(shape)
        residual = torch.where(better, norms(now.grad), norms(grad))
        converged = (converged & better) | now.progress.drowned(residual, begin)
        least = torch.where(better, now.energy, energy)
        if unroll:
            z = implicit(u, z)
            least = u(z)
        return Found(z, least, residual, converged)

    def _settled(self, now: "_Walk") -> Tensor:
        """Which rows have converged; rows without pairs know the curvature of trials alone."""
        residual, seen = norms(now.grad), now.progress.curvature
        curvature = torch.where(now.memory.blank(), seen, ratio(residual, norms(now.direction)))
        scale, noise = now.progress.scale(now.z, curvature), now.progress.rounding(now.z)
        return self.settled(residual, scale, now.progress.largest, noise)


class _Memory(NamedTuple):
    """Each row's last m steps and the gradient changes over them, oldest first: (rows, m, d).

    `inverse` (rows, m) is 1 / sᵀc, and 0 where there is no pair, which then has no effect.
    """

    steps: Tensor
    changes: Tensor
    inverse: Tensor

    @classmethod
    def empty(cls, z: Tensor, history: int) -> Self:
        none = z.new_zeros(len(z), history, z.shape[1])
        return cls(none, none, none[..., 0])

    def push(self, take: Tensor, step: Tensor, change: Tensor) -> Self:
        """A new pair in place of the oldest, in the rows that take it and where sᵀc > 0."""
        product = row_sums(step * change)
        inverse = 1 / product
        take = take & (product > 0) & inverse.isfinite()
        new = (step[:, None], change[:, None], inverse[:, None])
        shifted = [torch.cat([old[:, 1:], last], 1) for old, last in zip(self, new, strict=True)]
        return select(take, type(self)(*shifted), self)

    def forget(self, where: Tensor) -> Self:
        return self._replace(inverse=self.inverse.masked_fill(where[:, None], 0.0))

    def blank(self) -> Tensor:
        """Rows without a pair."""
        return self.inverse[:, -1] == 0

    def newton(self, grad: Tensor) -> Tensor:
        """H ∇u by the two-loop recursion, H = γ I where there is no pair; γ = sᵀc / cᵀc."""
        q, shares = grad, []
        pairs = list(
            zip(self.steps.unbind(1), self.changes.unbind(1), self.inverse.unbind(1), strict=True)
        )
        for step, change, inverse in reversed(pairs):
            share = inverse * row_sums(step * q)
            q = q - share[:, None] * change
            shares.append(share)
        squared = row_sums(self.changes[:, -1].square()) * self.inverse[:, -1]
        q = q / torch.where(self.blank(), 1.0, squared)[:, None]
        for (step, change, inverse), share in zip(pairs, reversed(shares), strict=True):
            q = q + (share - inverse * row_sums(change * q))[:, None] * step
        return q


class _Walk(NamedTuple):
    """Where each row stands and the line it searches; all (rows, ...)."""

    z: Tensor
    energy: Tensor
    grad: Tensor
    memory: _Memory
    direction: Tensor
    bracket: Bracket
    trials: Tensor
    stuck: Tensor
    progress: Progress

    @classmethod
    def begin(cls, z: Tensor, energy: Tensor, grad: Tensor, history: int) -> Self:
        memory = _Memory.empty(z, history)
        never = torch.zeros_like(energy, dtype=torch.bool)
        progress = Progress.begin(z, norms(grad), energy)
        return cls(
            z, energy, grad, memory, *_aim(energy, grad, memory), never.long(), never, progress
        )

    def trial(self) -> Tensor:
        return self.z + self.bracket.step[:, None] * self.direction

    def advance(self, energy: Tensor, grad: Tensor, done: Tensor) -> Self:
        """Take the trial where it will do, narrow the bracket where not; rows that are done stay.

        A row whose bracket yields nothing forgets its pairs and goes down the gradient; one that
        did so already is stuck: rounding hides any fall.
        """
        slope = torch.where(finite_rows(grad), row_sums(grad * self.direction), torch.nan)
        taken, bracket = self.bracket.judge(energy, slope)
        taken = taken & ~done
        step = self.bracket.step[:, None] * self.direction
        change = grad - self.grad
        memory = self.memory.push(taken, step, change)
        trials = torch.where(taken, 0, self.trials + bracket.high.isfinite())
        failed = ~taken & ((trials > TRIALS) | bracket.closed())
        stuck = self.stuck | (failed & memory.blank())
        memory = memory.forget(failed)
        z = torch.where(taken[:, None], self.z + step, self.z)
        grad = torch.where(taken[:, None], grad, self.grad)
        energy = torch.where(taken, energy, self.energy)
        direction, line = _aim(energy, grad, memory)
        turns = taken | failed
        return type(self)(
            z,
            energy,
            grad,
            memory,
            torch.where(turns[:, None], direction, self.direction),
            select(turns, line, bracket),
            torch.where(turns, 0, trials),
            stuck,
            self.progress.seen(step, change).at(norms(grad), energy),
        )


def _aim(energy: Tensor, grad: Tensor, memory: _Memory) -> tuple[Tensor, Bracket]:
    """The direction -H ∇u, or -∇u where rounding made that no descent; and a line along it."""
    direction = -memory.newton(grad)
    slope = row_sums(direction * grad)
    lost = ~(slope < 0) | ~slope.isfinite()
    direction = torch.where(lost[:, None], -grad, direction)
    slope = torch.where(lost, -row_sums(grad.square()), slope)
    first = 1 / torch.linalg.vector_norm(grad, dim=1).clamp(min=1)
    return direction, Bracket.open(energy, slope, torch.where(lost | memory.blank(), first, 1.0))
