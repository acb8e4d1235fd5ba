"""Potentials that are smooth plus a penalty, u(z) = f(z) + R(z), and energies that become such."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._precise import precise
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.inference._solvers.prox import Penalty
from ebmlab.types import Potential, Tree, as_potential

__all__ = ["Composite", "LinearComposite", "composite_of"]


class Composite(Potential):
    """u(z) = f(z) + c R(z), where f is smooth and R is a penalty.

    Args:
        smooth: f, maps z (rows, dim) to (rows,), each row on its own.
        penalty: R.
        strength: c > 0.

    Example:
        >>> from ebmlab.inference import L1
        >>> Composite(lambda z: z.square().sum(-1), L1(0.5))(torch.ones(1, 2))
        tensor([3.])
    """

    def __init__(
        self, smooth: Callable[[Tensor], Tensor], penalty: Penalty, strength: float | Tensor = 1.0
    ) -> None:
        self.smooth, self.penalty, self.strength = as_potential(smooth), penalty, strength
        super().__init__(lambda z: self.smooth(z) + self.cost(z))

    def cost(self, z: Tensor) -> Tensor:
        """c R(z), (rows,)."""
        return self.strength * self.penalty(None, z)

    def prox(self, z: Tensor, step: float | Tensor) -> Tensor:
        """The v that minimizes c R(v) + ‖v - z‖² / (2 step), for each z."""
        return self.penalty.prox(z, step * self.strength)


class LinearComposite(Composite):
    """u(z) = ‖W z - y‖² + c R(z), each row with its y.

    Args:
        weight: W, (m, dim).
        target: y, (rows, m).
        penalty, strength: R and c > 0.

    Example:
        >>> from ebmlab.inference import L1
        >>> LinearComposite(torch.eye(2), torch.ones(3, 2), L1(0.5))(torch.zeros(3, 2))
        tensor([2., 2., 2.])
    """

    def __init__(
        self, weight: Tensor, target: Tensor, penalty: Penalty, strength: float | Tensor = 1.0
    ) -> None:
        if weight.ndim != 2 or target.ndim != 2 or target.shape[1] != len(weight):
            raise ShapeError(
                f"weight has shape {tuple(weight.shape)} and target {tuple(target.shape)}; "
                "expected (m, dim) and (rows, m)"
            )
        super().__init__(lambda z: (z @ weight.T - target).square().sum(-1), penalty, strength)
        self.weight, self.target = weight, target

    def lipschitz(self) -> Tensor:
        """The largest curvature of the smooth part, 2 λ_max(WᵀW), 0-d."""
        weight = precise(self.weight.detach())
        if weight.shape[0] > weight.shape[1]:
            weight = weight.T
        largest = torch.linalg.eigvalsh(weight @ weight.T)[-1]
        return 2 * largest * (1 + 100 * torch.finfo(weight.dtype).eps)


def composite_of(energy: Energy, x: Tree, y: Tree, shape: torch.Size) -> Composite | None:
    """The two parts of an energy with one prior that is a `Penalty`, None of any other.

    z comes as rows (n, dim) of (k, *batch, dim), which `shape` is.
    """
    rest, priors = energy.split(lambda part: isinstance(part, Penalty))
    hidden = any(isinstance(part, Penalty) for part in rest.modules())
    if len(priors) != 1 or hidden or energy.stochastic or priors[0][0] <= 0:
        return None
    ((strength, penalty),) = priors
    assert isinstance(penalty, Penalty)
    squares = rest.affine(x, y)
    if squares is None:
        return Composite(lambda z: rest(x, y, z.reshape(shape)).flatten(), penalty, strength)
    weight, target = squares
    rows = target.expand(*shape[:-1], -1).reshape(-1, target.shape[-1])
    return LinearComposite(weight, rows, penalty, strength)
