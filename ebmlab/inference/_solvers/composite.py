"""Potentials that are smooth plus a penalty, u(z) = f(z) + R(z), and energies that become such."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab._checks import require_tensor
from ebmlab._precise import precise
from ebmlab.algebra import Sum
from ebmlab.energies import CodePrediction, Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.inference._solvers.prox import Penalty
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
        weight = precise(self.weight.detach())
        if weight.shape[0] > weight.shape[1]:
            weight = weight.T
        largest = torch.linalg.eigvalsh(weight @ weight.T)[-1]
        return 2 * largest * (1 + 100 * torch.finfo(weight.dtype).eps)


def composite_of(energy: Energy, x: Tree, y: Tree, shape: torch.Size) -> Composite | None:
    """The two parts of a `Reconstruction` whose prior is a `Penalty`, or of its sum with others.

    None of any other energy. z comes as rows (n, dim) of (k, *batch, dim), which `shape` is. The
    other terms of a sum belong to the smooth part; if the decoder is linear and they are code
    predictions, all squares are stacked to one.
    """
    terms = [t for t in energy.terms if isinstance(t, Energy)] if isinstance(energy, Sum) else []
    found = [term for term in terms or [energy] if _penalized(term)]
    if len(found) != 1 or energy.stochastic:
        return None
    main = found[0]
    assert isinstance(main, Reconstruction)
    assert isinstance(main.prior, Penalty)
    others = [term for term in terms if term is not main]
    if any(isinstance(part, Penalty) for term in others for part in term.modules()):
        return None
    guesses = [term for term in others if isinstance(term, CodePrediction)]
    if _linear(main) and len(guesses) == len(others):
        return _stacked(main, main.prior, guesses, y, shape)

    def smooth(z: Tensor) -> Tensor:
        z = z.reshape(shape)
        value = main.distance(main.decode(x, z), y)
        for term in others:
            value = value + term(x if term.takes_x else None, y, z if term.takes_z else None)
        return value.flatten()

    return Composite(smooth, main.prior)


def _penalized(energy: Energy) -> bool:
    return isinstance(energy, Reconstruction) and isinstance(energy.prior, Penalty)


def _linear(energy: Reconstruction) -> bool:
    """Whether the energy is ‖W z + b - y‖² of vectors, plus its prior."""
    plain = isinstance(energy.distance, SquaredDistance) and energy.distance.ndim == 1
    return plain and not energy.takes_x and isinstance(energy.decoder, nn.Linear)


def _stacked(
    main: Reconstruction,
    penalty: Penalty,
    guesses: list[CodePrediction],
    y: Tree,
    shape: torch.Size,
) -> LinearComposite:
    """‖W z + b - y‖² + Σ α ‖z - f(y)‖² as one square of rows: α ‖z - f‖² = ‖√α z - √α f‖²."""
    decoder = main.decoder
    assert isinstance(decoder, nn.Linear)
    target = require_tensor("y", y)
    targets = [target if decoder.bias is None else target - decoder.bias]
    weights = [decoder.weight]
    for term in guesses:
        scale = term.weight**0.5
        weights.append(scale * torch.eye(shape[-1], dtype=target.dtype, device=target.device))
        targets.append(scale * term.predict(y))
    rows = [t.expand(*shape[:-1], t.shape[-1]).reshape(-1, t.shape[-1]) for t in targets]
    return LinearComposite(torch.cat(weights), torch.cat(rows, 1), penalty)
