"""The slope of an energy as objectives take it: with its graph, and no better than the energy."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from ebmlab._events import sound
from ebmlab._rows import rows
from ebmlab._slopes import slope
from ebmlab.energy import Energy
from ebmlab.negatives.coupling import batch_norm

__all__ = ["Sloped", "sloped"]


class Sloped(NamedTuple):
    """Energies (b,), ∂E/∂y like y, and the metric `batch_norm`."""

    energies: Tensor
    grad: Tensor
    coupled: Tensor


def sloped(energy: Energy, of: Callable[[Tensor], Tensor], y: Tensor) -> Sloped:
    """The energies `of` y and their slope, both with a graph.

    An energy that is not finite has no slope: it is NaN there, even on a plateau at infinity. A
    layer that normalizes over the batch is told, as each row's slope then enters the others'.

    Args:
        energy: the one that `of` evaluates.
        of: y (b, *event) -> energies (b,).
        y: where.

    Raises:
        GradientError: the energy does not depend on y through differentiable operations.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Gaussian
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> sloped(energy, energy.given(), torch.ones(1, 2)).grad.detach()
        tensor([[1., 1.]])
    """
    coupled = batch_norm(energy, y, stacklevel=5)
    energies, grad = slope(of, y, create_graph=True)
    return Sloped(energies, sound(grad, rows(energies, grad)), coupled)
