"""Potentials that are sums of squares, u(z) = ‖r(z)‖², and energies as such."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.types import Potential, Tree

__all__ = ["MISSING", "LeastSquares", "least_squares_of"]

MISSING = (
    "LevenbergMarquardt needs residuals: a Reconstruction(decoder) by SquaredDistance without a "
    "prior, a sum of such, or minimize(LeastSquares(r), start); LBFGS takes any energy"
)

Residuals = Callable[[Tensor], Tensor]


class LeastSquares(Potential):
    """u(z) = Σ_j r_j(z)², which knows its residuals and their slopes.

    Args:
        residuals: r, maps z (rows, *event) to (rows, m), each row on its own.

    Example:
        >>> u = LeastSquares(lambda z: 2 * z - 1)
        >>> u(torch.ones(1, 3))
        tensor([3.])
        >>> u.linearized(torch.ones(1, 2))[1]
        tensor([[[2., 0.],
                 [0., 2.]]])
    """

    def __init__(self, residuals: Residuals) -> None:
        super().__init__(lambda z: self.residuals(z).square().sum(1))
        self._residuals = residuals

    def residuals(self, z: Tensor) -> Tensor:
        """r(z), shape (rows, m)."""
        r = self._residuals(z)
        if r.ndim != 2 or len(r) != len(z):
            raise ShapeError(
                f"the residuals of z {tuple(z.shape)} have shape {tuple(r.shape)}; expected "
                f"({len(z)}, m): flatten what each row has"
            )
        return r

    def linearized(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """r (rows, m) and its Jacobian ∂r_j/∂z_i (rows, m, event), detached.

        By one batched backward pass per residual, or where z has fewer entries, per entry of z:
        the slopes of Jᵀw in w.

        Raises:
            GradientError: the residuals do not depend on z through differentiable operations.
        """
        with torch.enable_grad():
            free = z.detach().reshape(len(z), -1).clone().requires_grad_()
            r = self.residuals(free.reshape(z.shape))
            if not r.requires_grad:
                raise GradientError("the residuals carry no gradient to z; look for .detach()")
            if r.shape[1] <= free.shape[1]:
                return r.detach(), _slopes(r, free)
            w = torch.zeros_like(r, requires_grad=True)
            pulled = torch.autograd.grad(r, free, w, create_graph=True, materialize_grads=True)[0]
            # What does not depend on w has no graph of its own.
            return r.detach(), _slopes(pulled + 0 * w.sum(), w).mT


def _slopes(value: Tensor, given: Tensor) -> Tensor:
    """∂value_j / ∂given_i of each row, (rows, j, i)."""
    axes = torch.eye(value.shape[1], dtype=value.dtype, device=value.device)
    pulls = axes[:, None].expand(-1, *value.shape)
    found = torch.autograd.grad(value, given, pulls, is_grads_batched=True, materialize_grads=True)
    return found[0].movedim(0, 1)


def least_squares_of(energy: Energy, x: Tree, y: Tree, shape: torch.Size) -> LeastSquares:
    """E(x, y, z) of rows (n, *event) that are (k, *batch, *event), which `shape` is, laid flat."""

    def residuals(z: Tensor) -> Tensor:
        r = energy.residuals(x, y, z.reshape(shape))
        if r is None:
            raise ConfigurationError(MISSING)
        return r.reshape(len(z), -1)

    return LeastSquares(residuals)
