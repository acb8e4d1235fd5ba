"""Gradient descent on z (or on y), every row with its own step size."""

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._rows import depth_limit, finite_rows, norms, require_finite, rows, select
from ebmlab._slopes import slope
from ebmlab.inference._solvers.convergence import Progress
from ebmlab.inference._solvers.directions import Direction, Steepest
from ebmlab.inference._solvers.point import Found, PointInference, require_bounded, require_smooth
from ebmlab.inference.spaces import Space
from ebmlab.types import Potential

__all__ = ["Descent"]

GROW, SHRINK = 1.2, 0.5


class Descent(PointInference):
    """Minimize by z' = z - η ∇u(z) from many starts; η grows while u falls and halves where not.

    A step that would raise the energy (or reach NaN) is not taken, so the result is never above
    its start; momentum begins again there. `residual` is the norm of the gradient at the result
    (of its part along the space).

    Args:
        starts, chunk, unroll: see `PointInference`.
        steps: gradient steps, the most where a tolerance is given.
        step_size: the first η > 0.
        direction: which way to step: `Steepest()`, `HeavyBall()`, `AdaptiveMoments()`.
        space: where z stays, all of R^dim if left out; starts must lie in it.
        tolerance: where a row stops, see `PointInference`; but None takes all steps.

    Raises:
        ConfigurationError: a start lies outside the space, or the space is finite.

    Example:
        >>> from ebmlab.types import Potential
        >>> u = Potential(lambda z: (z - 1).square().sum(-1))
        >>> Descent(steps=50).minimize(u, torch.zeros(2, 3)).energy < 1e-8
        tensor([True, True])

    Source: Vogl et al. 1988 (the step-size rule, here per row).
    """

    def __init__(
        self,
        starts: Tensor | None = None,
        *,
        steps: int = 100,
        step_size: float = 0.1,
        direction: Direction | None = None,
        space: Space | None = None,
        tolerance: float | None = None,
        chunk: int | None = None,
        unroll: bool = False,
    ) -> None:
        super().__init__(starts, steps=steps, tolerance=tolerance, chunk=chunk, unroll=unroll)
        require_positive("step_size", step_size)
        smooth = require_smooth(space, starts)
        self.step_size, self.space = step_size, smooth
        self.direction = Steepest() if direction is None else direction

    def search(self, u: Potential, start: Tensor, *, unroll: bool) -> Found:
        def grad_of(point: Tensor) -> tuple[Tensor, Tensor]:
            return slope(u, point, create_graph=True) if unroll else u.value_and_grad(point)

        z = start if unroll else start.detach()
        if self.space is not None:
            self.space.require("start", z.detach())
        energy, grad = grad_of(z)
        require_finite(z, energy, grad, "start: row")
        floor = depth_limit(energy)
        size = torch.full_like(energy.detach(), self.step_size)
        rest = memory = self.direction.begin(z)
        judged, force = self.tolerance is not None, self._force(z, grad)
        progress = Progress.begin(z, norms(force), energy)
        converged = torch.zeros_like(energy, dtype=torch.bool)
        for _ in range(self.steps):
            converged = converged | self._settled(progress, force, z)
            if bool(converged.all()):
                break
            if self.space is None:
                step, ahead = self.direction.step(memory, grad, size)
                trial = z + step
            else:
                step, ahead = self.direction.step(memory, self.space.along(z, grad), size)
                trial = self.space.retract(z, step)
            value, beyond = grad_of(trial)
            pull = self._force(trial, beyond)
            progress = progress.seen(trial - z, pull - force) if judged else progress
            better = (value <= energy) & finite_rows(beyond)
            taken = better & ~converged
            z = torch.where(rows(taken, z), trial, z)
            grad = torch.where(rows(taken, z), beyond, grad)
            force = torch.where(rows(taken, z), pull, force)
            energy = torch.where(taken, value, energy)
            progress = progress.at(norms(force), energy) if judged else progress
            memory = select(better, ahead, rest)
            size = torch.where(better, GROW * size, SHRINK * size)
        require_bounded(energy, floor)
        ended = self._settled(progress, force, z) | progress.drowned(norms(force), z)
        return Found(z, energy, norms(force), converged | ended | (not judged))

    def _settled(self, progress: Progress, force: Tensor, z: Tensor) -> Tensor:
        if self.tolerance is None:
            return torch.zeros_like(norms(force), dtype=torch.bool)
        scale = progress.scale(z, progress.curvature)
        return self.settled(norms(force), scale, progress.largest, progress.rounding(z))

    def _force(self, z: Tensor, grad: Tensor) -> Tensor:
        """The gradient, or its part along the space: 0 at a minimum."""
        return grad if self.space is None else self.space.stationary(z, grad)
