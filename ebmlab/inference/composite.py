"""Potentials that are smooth plus a penalty, u(z) = f(z) + R(z), and energies that become such."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab.checks import require_tensor
from ebmlab.energies import Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.inference.prox import Penalty
from ebmlab.types import Potential, Tree, as_potential

__all__ = ["Composite", "LinearComposite", "composite_of"]


class Composite(Potential):
    """u(z) = f(z) + R(z), where f is smooth and R is a penalty.

    Args:
        smooth: f, maps z (rows, dim) to (rows,), each row on its own.
        penalty: R.

    Example:
        >>> from ebmlab.inference import L1
        >>> Composite(lambda z: z.square().sum(-1), L1(0.5))(torch.ones(1, 2))
        tensor([3.])
    """

    def __init__(self, smooth: Callable[[Tensor], Tensor], penalty: Penalty) -> None:
        self.smooth, self.penalty = as_potential(smooth), penalty
        super().__init__(lambda z: self.smooth(z) + self.penalty(None, z))


class LinearComposite(Composite):
    """u(z) = ‖W z - y‖² + R(z), each row with its y.

    Args:
        weight: W, (m, dim).
        target: y, (rows, m).
        penalty: R.

    Raises:
        ShapeError: weight and target do not fit together.

    Example:
        >>> from ebmlab.inference import L1
        >>> LinearComposite(torch.eye(2), torch.ones(3, 2), L1(0.5))(torch.zeros(3, 2))
        tensor([2., 2., 2.])
    """

    def __init__(self, weight: Tensor, target: Tensor, penalty: Penalty) -> None:
        if weight.ndim != 2 or target.ndim != 2 or target.shape[1] != len(weight):
            raise ShapeError(
                f"weight has shape {tuple(weight.shape)} and target {tuple(target.shape)}; "
                "(m, dim) and (rows, m) are due"
            )
        super().__init__(lambda z: (z @ weight.T - target).square().sum(-1), penalty)
        self.weight, self.target = weight, target

    def lipschitz(self) -> Tensor:
        """The largest curvature of the smooth part, 2 λ_max(WᵀW), 0-d."""
        weight = self.weight.detach()
        if weight.shape[0] > weight.shape[1]:
            weight = weight.T
        largest = torch.linalg.eigvalsh(weight @ weight.T)[-1]
        return 2 * largest * (1 + 100 * torch.finfo(weight.dtype).eps)


def composite_of(energy: Energy, x: Tree, y: Tree, shape: torch.Size) -> Composite | None:
    """The two parts of a `Reconstruction` whose prior is a `Penalty`, None of any other energy.

    z comes as rows (n, dim) of (k, *batch, dim), which `shape` is.
    """
    if not isinstance(energy, Reconstruction) or not isinstance(energy.prior, Penalty):
        return None
    target = require_tensor("y", y)
    if _linear(energy):
        decoder = energy.decoder
        assert isinstance(decoder, nn.Linear)
        centered = target if decoder.bias is None else target - decoder.bias
        rows = centered.expand(*shape[:-1], target.shape[-1]).reshape(-1, target.shape[-1])
        return LinearComposite(decoder.weight, rows, energy.prior)

    def smooth(z: Tensor) -> Tensor:
        return energy.distance(energy.decode(x, z.reshape(shape)), y).flatten()

    return Composite(smooth, energy.prior)


def _linear(energy: Reconstruction) -> bool:
    """Whether the energy is ‖W z + b - y‖² of vectors, plus its prior."""
    plain = isinstance(energy.distance, SquaredDistance) and energy.distance.ndim == 1
    return plain and not energy.takes_x and isinstance(energy.decoder, nn.Linear)
