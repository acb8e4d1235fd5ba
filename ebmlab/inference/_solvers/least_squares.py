"""Potentials that are sums of squares, u(z) = ‖r(z)‖², and the energies that become such."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab.energies import Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.types import Potential, Tree

__all__ = ["LeastSquares", "residuals_of"]

Residuals = Callable[[Tensor], Tensor]


class LeastSquares(Potential):
    """u(z) = Σ_j r_j(z)², which knows its residuals and their slopes.

    Args:
        residuals: r, maps z (rows, *event) to (rows, m), each row on its own.
        function: the same u by another way; None sums the squares.

    Raises:
        ShapeError: the residuals are not (rows, m).

    Example:
        >>> u = LeastSquares(lambda z: 2 * z - 1)
        >>> u(torch.ones(1, 3))
        tensor([3.])
        >>> u.linearized(torch.ones(1, 2))[1]
        tensor([[[2., 0.],
                 [0., 2.]]])
    """

    def __init__(
        self, residuals: Residuals, function: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__(function or (lambda z: self.residuals(z).square().sum(1)))
        self._residuals = residuals

    def residuals(self, z: Tensor) -> Tensor:
        """r(z), shape (rows, m)."""
        r = self._residuals(z)
        if r.ndim != 2 or len(r) != len(z):
            raise ShapeError(
                f"the residuals of z {tuple(z.shape)} have shape {tuple(r.shape)}; "
                f"({len(z)}, m) is due: flatten what each row has"
            )
        return r

    def linearized(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """r (rows, m) and its Jacobian ∂r_j/∂z_i (rows, m, event), detached, by forward mode."""
        flat = z.detach().reshape(len(z), -1).contiguous()

        def at(point: Tensor) -> Tensor:
            return self.residuals(point.reshape(z.shape))

        def along(axis: Tensor) -> tuple[Tensor, ...]:
            return torch.func.jvp(at, (flat,), (axis.expand_as(flat),))

        axes = torch.eye(flat.shape[1], dtype=flat.dtype, device=flat.device)
        with torch.no_grad(), warnings.catch_warnings():
            # torch's forward mode still loads its own rules through what it deprecates.
            warnings.filterwarnings("ignore", r"`torch\.jit\.script", DeprecationWarning)
            r, slopes = torch.func.vmap(along)(axes)
        return r[0], slopes.movedim(0, 2)


def residuals_of(energy: Energy, x: Tree, y: Tree, shape: torch.Size) -> Residuals | None:
    """r(z) = decoder(x, z) - y of a plain `Reconstruction`, None of any other energy.

    z comes as rows (n, *event) of (k, *batch, *event), which `shape` is.
    """
    if not isinstance(energy, Reconstruction) or energy.prior is not None:
        return None
    if not isinstance(energy.distance, SquaredDistance):
        return None
    target = require_tensor("y", y)

    def residuals(z: Tensor) -> Tensor:
        difference = energy.decode(x, z.reshape(shape)) - target
        return difference.reshape(len(z), -1)

    return residuals
