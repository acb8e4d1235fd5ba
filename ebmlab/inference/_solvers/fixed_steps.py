"""Gradient steps of one size, every one of them taken: what is unrolled in training."""

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._rows import depth_limit, finite_rows, norms, require_finite
from ebmlab._slopes import slope
from ebmlab.errors import DivergenceError
from ebmlab.inference._solvers.point import Found, PointInference, require_smooth
from ebmlab.inference.spaces import Space
from ebmlab.types import Potential

__all__ = ["FixedSteps"]


class FixedSteps(PointInference):
    """z' = z - η ∇u(z), `steps` times, whatever u does: unrolled, it is smooth in u and in z.

    `Descent` rejects steps that raise u and changes η, so that what it unrolls has jumps; here
    u may rise where η is too large, and a loss on what is reached then says so. `residual` is the
    norm of the gradient at the result (of its part along the space). No warning tells of rows
    that have not converged.

    Args:
        step_size: η > 0.
        starts, chunk, unroll: see `PointInference`.
        steps: how many.
        space: where z stays, all of R^dim if left out; starts must lie in it.

    Raises:
        ConfigurationError: a start lies outside the space, or the space is finite.
        DivergenceError: u is no number, or without bound, where the steps end.

    Example:
        >>> u = Potential(lambda z: (z - 1).square().sum(-1))
        >>> FixedSteps(0.25, steps=2).minimize(u, torch.zeros(1, 3)).argmin
        tensor([[0.7500, 0.7500, 0.7500]])

    Source: Cauchy 1847; Domke 2012, "Generic methods for optimization-based modeling" (unrolled).
    """

    def __init__(
        self,
        step_size: float = 0.1,
        starts: Tensor | None = None,
        *,
        steps: int = 1,
        space: Space | None = None,
        chunk: int | None = None,
        unroll: bool = False,
    ) -> None:
        super().__init__(starts, steps=steps, tolerance=None, chunk=chunk, unroll=unroll)
        require_positive("step_size", step_size)
        smooth = require_smooth(space, starts)
        self.step_size, self.space = step_size, smooth

    def search(self, u: Potential, start: Tensor, *, unroll: bool) -> Found:
        def grad_of(point: Tensor) -> tuple[Tensor, Tensor]:
            return slope(u, point, create_graph=True) if unroll else u.value_and_grad(point)

        z = start if unroll else start.detach()
        if self.space is not None:
            self.space.require("start", z.detach())
        energy, grad = grad_of(z)
        require_finite(z, energy, grad, "start: row")
        floor = depth_limit(energy)
        for _ in range(self.steps):
            step = -self.step_size * grad
            z = z + step if self.space is None else self.space.retract(z, step)
            energy, grad = grad_of(z)
        self._require_bounded(energy.detach(), grad, floor)
        force = (grad if self.space is None else self.space.stationary(z, grad)).detach()
        return Found(z, energy, norms(force), torch.ones_like(floor, dtype=torch.bool))

    def _require_bounded(self, energy: Tensor, grad: Tensor, floor: Tensor) -> None:
        lost = ~(energy.isfinite() & finite_rows(grad) & (energy >= floor))
        if bool(lost.any()):
            row = int(lost.nonzero()[0])
            raise DivergenceError(
                f"row {row}: {self.steps} steps of size {self.step_size} end at the energy "
                f"{float(energy[row])}, or where its gradient is not finite; take smaller steps, "
                "or check that the energy is bounded below"
            )
