"""The words that everything else is written in: trees, potentials, states, minima, chains."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._slopes import slope
from ebmlab.errors import ShapeError

__all__ = [
    "Chain",
    "Decode",
    "Info",
    "Minimum",
    "Posterior",
    "Potential",
    "Rng",
    "State",
    "Tree",
    "as_potential",
]

Tree = Tensor | tuple[Tensor, ...] | None
Rng = torch.Generator | None
Decode = Callable[[Tree, Tree], Tensor]


class Potential:
    """A scalar function of one free variable, row by row: u: (chains, *event) -> (chains,).

    What `energy.given(x)` returns, and all that samplers, solvers and landscapes know. The
    gradient is autograd's, unless a hand-written one is given or a subclass writes
    `value_and_grad`.

    Args:
        function: maps (chains, *event) to (chains,), each row on its own.
        slope: maps y to energies and their gradient, both detached; None leaves it to autograd.
        origin: the energy or the callable that it was made from, whose compiled programs it
            shares; None for itself.

    Raises:
        ShapeError: the function returns anything but one energy per row.

    Example:
        >>> import torch
        >>> u = Potential(lambda y: 0.5 * y.square().sum(-1))
        >>> u.value_and_grad(torch.ones(1, 2))
        (tensor([1.]), tensor([[1., 1.]]))
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        slope: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        origin: object | None = None,
    ) -> None:
        self._function = function
        self._slope = slope
        self._origin = origin

    @property
    def origin(self) -> object:
        """What the potential was made from."""
        return self if self._origin is None else self._origin

    def __call__(self, y: Tensor) -> Tensor:
        """Energies (chains,) at the rows of y (chains, *event)."""
        return _one_per_row(self._function(y), y)

    def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (chains,) and their gradient (chains, *event), both detached; y is not touched.

        Raises:
            DtypeError: y is not floating point.
            GradientError: the energy does not depend on y through differentiable operations.
        """
        if self._slope is not None:
            energy, grad = self._slope(y)
            return _one_per_row(energy, y), grad
        energy, grad = slope(self, y)
        return energy.detach(), grad


def _one_per_row(energy: Any, y: Tensor) -> Tensor:
    if not isinstance(energy, Tensor) or energy.shape != y.shape[:1]:
        got = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise ShapeError(
            f"a potential must return one energy per row: y has shape {tuple(y.shape)}, so "
            f"({len(y)},) is due, but {got} came back; reduce over the event dimensions only"
        )
    return energy


def as_potential(u: Callable[[Tensor], Tensor]) -> Potential:
    """Wrap a callable (chains, *event) -> (chains,) as a `Potential`; potentials pass."""
    return u if isinstance(u, Potential) else Potential(u, origin=u)


class State(NamedTuple):
    """Where a gradient-based chain stands; other samplers may carry more, `.y` is always there."""

    y: Tensor
    energy: Tensor
    grad: Tensor


class Info(NamedTuple):
    """What one step reports; `acceptance` (chains,) is always there, samplers may add fields."""

    acceptance: Tensor


class Chain(NamedTuple):
    """What `run` returns.

    `samples` is (kept, chains, *event), `energies` (kept, chains), `acceptance` (chains,) the mean
    over the steps, and `info` the sampler's own record with each field summed over the steps.
    """

    state: Any
    samples: Tensor
    energies: Tensor
    acceptance: Tensor
    info: Any


class Minimum(NamedTuple):
    """What a solver returns, row by row: where, how low, and how far from stationary."""

    argmin: Tensor
    energy: Tensor
    residual: Tensor


class Posterior(NamedTuple):
    """Weighted atoms of q(z | x, y).

    Attributes:
        atoms: (k, *batch, *event); may carry gradients.
        weights: (k, *batch) or broadcastable to it; sums to 1 over k.
        information: (*batch), nats that z carries: KL(q || prior), or an estimate of it where
            draws are weighed.
        residual: (*batch), how far from converged; 0 where nothing iterates.
        energies: (k, *batch), E at the atoms where the inference knows them already, so that
            `FreeEnergy` need not evaluate them again.
        encoded: (*batch, *event), what an encoder gave, where the atom is a code that stands
            for it.
    """

    atoms: Tensor
    weights: Tensor
    information: Tensor
    residual: Tensor
    energies: Tensor | None = None
    encoded: Tensor | None = None
