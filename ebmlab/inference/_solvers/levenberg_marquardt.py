"""Levenberg-Marquardt on many rows at once: each with its own damping."""

from typing import NamedTuple, Self

import torch
from torch import Size, Tensor

from ebmlab._checks import require_non_negative
from ebmlab._rows import norms, require_finite, row_sums, select
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.inference._solvers.convergence import Progress, ratio, rounding
from ebmlab.inference._solvers.implicit_function import implicit
from ebmlab.inference._solvers.least_squares import MISSING, LeastSquares, least_squares_of
from ebmlab.inference._solvers.point import Found, PointInference
from ebmlab.types import Potential, Rng, Tree

__all__ = ["LevenbergMarquardt"]

LEAST, MOST = 1e-12, 1e12


class LevenbergMarquardt(PointInference):
    """Minimize u = ‖r(z)‖² by z' = z - (JᵀJ + μ D)⁻¹ Jᵀr, J = ∂r/∂z, D the diagonal of JᵀJ.

    A row takes the step where u falls, and its damping μ shrinks the more the better u was
    foreseen; where u rises or is not finite the row stays and μ grows. `residual` is the norm of
    the gradient 2 Jᵀr. As an inference it takes energies with `residuals`, such as a
    `Reconstruction` by squared distance without a prior, as a solver a `LeastSquares`.

    Args:
        starts, tolerance, chunk: see `PointInference`.
        steps: the most steps tried per row.
        damping: the first μ >= 0; 0 begins with Gauss-Newton steps and damps where one fails.

    With `minimize(…, unroll=True)` the argmin carries the derivative of the implicit function (see
    `implicit`), not that of the steps.

    Raises:
        ConfigurationError: the residuals of the energy are unknown.

    Example:
        >>> u = LeastSquares(lambda z: torch.cat([10 * (z[:, 1:] - z[:, :1] ** 2), 1 - z], 1))
        >>> LevenbergMarquardt().minimize(u, torch.zeros(1, 2)).argmin
        tensor([[1.0000, 1.0000]])

    Source: Marquardt 1963; Nielsen 1999 (how μ changes).
    """

    def __init__(
        self,
        starts: Tensor | None = None,
        *,
        steps: int = 100,
        damping: float = 1e-3,
        tolerance: float | None = None,
        chunk: int | None = None,
    ) -> None:
        super().__init__(starts, steps=steps, tolerance=tolerance, chunk=chunk)
        require_non_negative("damping", damping)
        self.damping = damping

    def potential(self, energy: Energy, x: Tree, y: Tree, shape: Size, rng: Rng) -> Potential:
        return least_squares_of(energy, x, y, shape)

    def search(self, u: Potential, start: Tensor, *, unroll: bool) -> Found:
        if not isinstance(u, LeastSquares):
            raise ConfigurationError(MISSING)
        z = start.detach()
        fit = _Fit.at(z, *u.linearized(z), self.damping)
        require_finite(z, fit.energy, fit.grad, "start: row")
        ceiling, progress = fit.energy, Progress.begin(z, fit.residual(), fit.energy)
        step, foreseen = _step(fit.normal, fit.grad, fit.damping)
        done = converged = self._settled(fit, step, progress)
        for _ in range(self.steps):
            if bool(done.all()):
                break
            trial = fit.z + step.reshape(z.shape)
            ahead = _Fit.at(trial, *u.linearized(trial), self.damping)
            fit = fit.advance(ahead, foreseen, (ahead.energy <= ceiling) & ~done)
            progress = progress.at(fit.residual(), fit.energy)
            step, foreseen = _step(fit.normal, fit.grad, fit.damping)
            converged = converged | (~done & self._settled(fit, step, progress))
            done = converged | (fit.damping > MOST)
        converged = converged | (fit.residual() <= _noise(fit, progress))
        if not unroll:
            return Found(fit.z, fit.energy, fit.residual(), converged)
        z = implicit(u, fit.z)
        return Found(z, u(z), fit.residual(), converged)

    def _settled(self, fit: "_Fit", step: Tensor, progress: Progress) -> Tensor:
        """Which rows have converged, by the step that would be taken without damping, about."""
        residual, noise = fit.residual(), _noise(fit, progress)
        curvature = ratio(residual, (1 + fit.damping) * norms(step))
        scale = progress.scale(fit.z, curvature)
        return self.settled(residual, scale, progress.largest, noise)


class _Fit(NamedTuple):
    """Where each row stands, its linear model, and its damping; all (rows, ...)."""

    z: Tensor
    energy: Tensor
    grad: Tensor
    normal: Tensor
    damping: Tensor
    growth: Tensor

    @classmethod
    def at(cls, z: Tensor, r: Tensor, slopes: Tensor, damping: float) -> Self:
        """‖r‖² (rows,), its gradient 2 Jᵀr (rows, d), and JᵀJ (rows, d, d)."""
        energy = row_sums(r.square())
        grad = 2 * (slopes.mT @ r[..., None])[..., 0]
        first, twice = torch.full_like(energy, damping), torch.full_like(energy, 2.0)
        return cls(z, energy, grad, slopes.mT @ slopes, first, twice)

    def residual(self) -> Tensor:
        """‖∇u‖, (rows,)."""
        return norms(self.grad)

    def advance(self, ahead: Self, foreseen: Tensor, allowed: Tensor) -> Self:
        """The rows ahead where u falls, by the damping that its fall deserves; else more damping.

        Near a minimum rounding hides the fall of u, and the shrinking gradient vouches for it.
        """
        noise = torch.finfo(self.energy.dtype).eps ** (2 / 3) * self.energy
        level = (ahead.energy <= self.energy + noise) & (ahead.residual() < self.residual())
        fallen = ahead.energy <= self.energy
        take = allowed & (fallen | level) & ahead.residual().isfinite()
        ratio = (self.energy - ahead.energy) / foreseen
        eased = self.damping * (1 - (2 * ratio - 1) ** 3).clamp(1 / 3, 2.0)
        harder = (self.damping * self.growth).clamp(min=LEAST)
        kept = self._replace(damping=harder, growth=2 * self.growth)
        return select(take, ahead._replace(damping=eased), kept)


def _noise(fit: _Fit, progress: Progress) -> Tensor:
    """How far rounding moves ‖∇u‖; the trace bounds the largest curvature."""
    return rounding(2 * fit.normal.diagonal(dim1=1, dim2=2).sum(1), progress.level, fit.z)


def _step(normal: Tensor, grad: Tensor, damping: Tensor) -> tuple[Tensor, Tensor]:
    """The damped step (rows, d), NaN where it has no solution, and the fall that it foresees."""
    diagonal = normal.diagonal(dim1=1, dim2=2)
    # An entry of z that no residual feels yet is still held.
    least = torch.finfo(normal.dtype).eps * diagonal.amax(1, keepdim=True)
    held = damping[:, None] * torch.maximum(diagonal, least)
    factor, failed = torch.linalg.cholesky_ex(normal + held.diag_embed())
    step = torch.cholesky_solve(-0.5 * grad[..., None], factor)[..., 0]
    step = torch.where(failed[:, None] > 0, torch.nan, step)
    return step, row_sums(step * (held * step - 0.5 * grad))
