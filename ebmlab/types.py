"""The words that everything else is written in: trees, potentials, states, minima, chains."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab.errors import DtypeError, GradientError, ShapeError

__all__ = ["Chain", "Info", "Minimum", "Potential", "State", "Tree", "as_potential"]

Tree = Tensor | tuple[Tensor, ...] | None


class Potential:
    """A scalar function of one free variable, row by row: u: (chains, *event) -> (chains,).

    What `energy.given(x)` returns, and all that samplers, solvers and landscapes know. The
    gradient is autograd's; a subclass may supply a hand-written `value_and_grad`.

    Args:
        function: maps (chains, *event) to (chains,), each row on its own.

    Raises:
        ShapeError: the function returns anything but one energy per row.

    Example:
        >>> u = Potential(lambda y: 0.5 * y.square().sum(-1))
        >>> u.value_and_grad(torch.ones(1, 2))
        (tensor([1.]), tensor([[1., 1.]]))
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self._function = function

    def __call__(self, y: Tensor) -> Tensor:
        """Energies (chains,) at the rows of y (chains, *event)."""
        energy = self._function(y)
        if not isinstance(energy, Tensor) or energy.shape != y.shape[:1]:
            got = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
            raise ShapeError(
                f"a potential must return one energy per row: y has shape {tuple(y.shape)}, so "
                f"({len(y)},) is due, but {got} came back; reduce over the event dimensions only"
            )
        return energy

    def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (chains,) and their gradient (chains, *event), both detached; y is not touched.

        Raises:
            DtypeError: y is not floating point.
            GradientError: the energy does not depend on y through differentiable operations.
        """
        if not y.is_floating_point():
            raise DtypeError(
                f"y has dtype {y.dtype} and no gradient exists; use a sampler for discrete y, or "
                "convert y with .float()"
            )
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            energy = self(y)
            grad = None
            if energy.requires_grad:
                (grad,) = torch.autograd.grad(energy.sum(), y, allow_unused=True)
        if grad is None:
            raise GradientError(
                f"the energy of y {tuple(y.shape)} carries no gradient to y; look for .detach(), "
                "torch.no_grad(), rounding or an argmax between y and the energy"
            )
        return energy.detach(), grad


def as_potential(u: Callable[[Tensor], Tensor]) -> Potential:
    """Wrap a callable (chains, *event) -> (chains,) as a `Potential`; potentials pass."""
    return u if isinstance(u, Potential) else Potential(u)


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
