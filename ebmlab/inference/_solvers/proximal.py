"""Proximal gradient on z: FISTA, every row with its own momentum, curvature and convergence."""

from typing import NamedTuple

import torch
from torch import Size, Tensor

from ebmlab._rows import depth_limit, finite_rows, norms, require_finite, row_sums, rows, select
from ebmlab._slopes import slope
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.inference._solvers.composite import Composite, LinearComposite, composite_of
from ebmlab.inference._solvers.convergence import Progress, rounding
from ebmlab.inference._solvers.fista import Momentum, Solved, solve_linear
from ebmlab.inference._solvers.point import Found, PointInference, clamped, require_bounded
from ebmlab.types import Potential, Rng, Tree

__all__ = ["Proximal"]

GROW, SHRINK = 2.0, 0.95


class Proximal(PointInference):
    """Minimize f(z) + R(z) by z' = prox_{R/L}(w - ∇f(w) / L), where w runs ahead of z.

    R is the energy's own prior, a `Penalty` such as `L1`; so its weight is counted once, and the
    free energy is that of the whole energy. L is 2 λ_max(WᵀW) where f = ‖W z - y‖² (a
    `Reconstruction` with an `nn.Linear` decoder). Elsewhere each row has its own L, which doubles
    where f(z') > f(w) + ∇f(w)·(z' - w) + L ‖z' - w‖² / 2 and falls slowly where not. The momentum
    of a row starts afresh where the gradient points against it. `residual` is L ‖w - z'‖, the
    length of the proximal gradient, which is 0 at a minimum; no row ends above its start.

    Args:
        starts, chunk, unroll: see `PointInference`; one start of zeros will do where f is convex.
        steps: the most steps that a row takes.
        tolerance: τ; a row has converged where its residual <= τ times ‖∇f‖ at its start or at z,
            the larger: no unit and no offset plays a part. None is √ε of the dtype.
        accelerate: whether w runs ahead of z (FISTA) or is z (ISTA).
        compile: compile ten steps into one program, where the decoder is linear.

    Raises:
        ConfigurationError: the energy is not f + R, as a `Reconstruction` with such a prior is.

    Example:
        >>> from ebmlab.inference import L1, Composite
        >>> u = Composite(lambda z: (z - 1).square().sum(-1), L1(0.5))
        >>> Proximal().minimize(u, torch.zeros(1, 2)).argmin
        tensor([[0.7500, 0.7500]])

    Source: Beck, Teboulle 2009; O'Donoghue, Candès 2015, arXiv:1204.3982 (restart, here per row).
    """

    def __init__(
        self,
        starts: Tensor | None = None,
        *,
        steps: int = 1000,
        tolerance: float | None = None,
        accelerate: bool = True,
        compile: bool = False,
        chunk: int | None = None,
        unroll: bool = False,
    ) -> None:
        super().__init__(starts, steps=steps, tolerance=tolerance, chunk=chunk, unroll=unroll)
        self.accelerate, self.compiled = accelerate, compile

    def potential(self, energy: Energy, x: Tree, y: Tree, shape: Size, rng: Rng) -> Potential:
        return composite_of(energy, x, y, shape) or clamped(energy, x, y, shape, rng)

    def search(self, u: Potential, start: Tensor, *, unroll: bool) -> Found:
        if not isinstance(u, Composite):
            raise ConfigurationError(
                "Proximal minimizes a smooth part plus a penalty, and finds none here: give the "
                "Reconstruction a prior such as L1(0.1), or minimize a Composite(f, penalty)"
            )
        begin = u.prox(start if unroll else start.detach(), 0.0)
        first = u(begin) if unroll else u(begin).detach()
        require_finite(begin.detach(), first.detach(), begin.detach(), "start: row")
        if isinstance(u, LinearComposite) and not unroll:
            end, converged = solve_linear(
                u,
                begin,
                self.settled,
                steps=self.steps,
                accelerate=self.accelerate,
                compiled=self.compiled,
            )
        else:
            end, converged = self._backtracked(u, begin, unroll)
        better = end.energy <= first
        z = torch.where(rows(better, begin), end.z, begin)
        energy = torch.where(better, end.energy, first)
        return Found(z, energy, end.residual, converged)

    def _backtracked(self, u: Composite, begin: Tensor, unroll: bool) -> tuple[Solved, Tensor]:
        """Steps whose length each row finds for itself."""

        def smooth(z: Tensor) -> tuple[Tensor, Tensor]:
            return slope(u.smooth, z, create_graph=True) if unroll else u.smooth.value_and_grad(z)

        value, grad = smooth(begin)
        require_finite(begin.detach(), value.detach(), grad.detach(), "start: row")
        energy = value + u.cost(begin)
        walk, progress = _Walk.begin(begin, grad), Progress.begin(begin, norms(grad), energy)
        floor, done = depth_limit(energy), torch.zeros_like(energy, dtype=torch.bool)
        converged, z = done, begin
        residual = noise = pull = progress.largest
        for _ in range(self.steps):
            value, grad = smooth(walk.momentum.ahead)
            walk = walk.informed(grad)
            trial = walk.trial(u, grad)
            beyond = u.smooth(trial) if unroll else u.smooth(trial).detach()
            taken = walk.short_enough(trial, value, grad, beyond) & ~done
            walk = walk.advance(trial, taken, done, self.accelerate)
            energy = torch.where(taken, beyond + u.cost(trial), energy)
            z, pull, curvature = walk.momentum.z, norms(walk.seen), walk.curvature
            scale = torch.maximum(pull, progress.scale(z, curvature))
            residual, noise = walk.residual.detach(), rounding(curvature, progress.level, z)
            progress = progress.at(pull, energy)
            converged = self.settled(residual, scale, progress.largest, noise)
            done = converged | (energy.detach() < floor)
            if bool(done.all()):
                break
        require_bounded(energy.detach(), floor)
        return Solved(z, energy, residual, pull), converged | (residual <= noise)


class _Walk(NamedTuple):
    """Where each row stands, its curvature L and its residual (rows,), and the last slope seen."""

    momentum: Momentum
    curvature: Tensor
    residual: Tensor
    seen_at: Tensor
    seen: Tensor

    @classmethod
    def begin(cls, z: Tensor, grad: Tensor) -> "_Walk":
        one = torch.ones_like(z[:, 0]).detach()
        unknown = torch.full_like(one, torch.inf)
        return cls(Momentum.begin(z), one, unknown, z.detach(), grad.detach())

    def informed(self, grad: Tensor) -> "_Walk":
        """L no smaller than the slope's change from where it was last seen, by the distance.

        Near a minimum rounding hides from the test of the trial that L has become too small.
        """
        ahead, grad = self.momentum.ahead.detach(), grad.detach()
        change = torch.linalg.vector_norm(grad - self.seen, dim=1)
        secant = change / torch.linalg.vector_norm(ahead - self.seen_at, dim=1)
        larger = (secant > self.curvature) & secant.isfinite()
        return self._replace(
            curvature=torch.where(larger, secant, self.curvature), seen_at=ahead, seen=grad
        )

    def trial(self, u: Composite, grad: Tensor) -> Tensor:
        step = 1 / self.curvature[:, None]
        return u.prox(self.momentum.ahead - step * grad, step)

    def short_enough(self, trial: Tensor, value: Tensor, grad: Tensor, beyond: Tensor) -> Tensor:
        """Where the parabola of curvature L lies above f at the trial, up to rounding."""
        move = (trial - self.momentum.ahead).detach()
        linear, square = row_sums(grad.detach() * move), row_sums(move.square())
        slack = 20 * torch.finfo(value.dtype).eps * value.detach().abs()
        return beyond <= value + linear + 0.5 * self.curvature * square + slack

    def advance(self, trial: Tensor, taken: Tensor, done: Tensor, accelerate: bool) -> "_Walk":
        """Move where the trial is taken, double L where not; rows that are done stay.

        A row that ran ahead to where there is no slope comes back.
        """
        length = torch.linalg.vector_norm(self.momentum.ahead - trial, dim=1)
        moved = select(taken, self.momentum.moved(trial, accelerate), self.momentum)
        size = torch.where(taken, SHRINK * self.curvature, GROW * self.curvature)
        lost = ~finite_rows(self.seen) & ~taken & ~done
        return self._replace(
            momentum=select(lost, Momentum.begin(self.momentum.z), moved),
            curvature=torch.where(done, self.curvature, size),
            residual=torch.where(taken, self.curvature * length, self.residual),
        )
