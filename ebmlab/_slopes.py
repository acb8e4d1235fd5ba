"""The gradient of an energy in one of its variables, or a clear error where there is none."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._kinds import require_a
from ebmlab._precise import precise
from ebmlab.errors import DtypeError, GradientError

__all__ = ["require_floating", "slope", "through"]


def require_floating(y: Tensor) -> None:
    """Raise unless y can carry a gradient."""
    if not require_a(Tensor, "y", y, "torch.as_tensor makes one").is_floating_point():
        raise DtypeError(
            f"y has dtype {y.dtype} and no gradient exists; use a sampler for discrete y, or "
            "convert y with .float()"
        )


def slope(
    function: Callable[[Tensor], Tensor], y: Tensor, *, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """Energies E = function(y) and ∂ ΣE / ∂y, which is each row's own gradient.

    Args:
        function: (rows, *event) -> (rows,).
        y: where; a leaf is made of it unless it carries a graph that `create_graph` is to keep.
        create_graph: keep the graph, so that both results can be differentiated again.

    Raises:
        DtypeError: y is not floating point.
        GradientError: the energy does not depend on y through differentiable operations.

    Example:
        >>> slope(lambda y: y.square().sum(-1), torch.ones(1, 2), create_graph=False)[1]
        tensor([[2., 2.]])
    """
    require_floating(y)
    if torch.compiler.is_compiling():
        return _traced(function, y)
    with torch.enable_grad():
        if not (create_graph and y.requires_grad):
            y = y.detach().requires_grad_()
        energy = function(y)
        grad = None
        if energy.requires_grad:
            (grad,) = torch.autograd.grad(
                energy.sum(), y, create_graph=create_graph, allow_unused=True
            )
    if grad is None:
        raise GradientError(
            f"the energy of y {tuple(y.shape)} carries no gradient to y; look for .detach(), "
            "torch.no_grad(), rounding or an argmax between y and the energy"
        )
    return energy, grad


def through(function: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    """The value of a function at y, whose gradient reaches y and no parameter of the function.

    Rows may depend on each other. The gradient has no gradient in turn.

    Args:
        function: (rows, *event) -> a scalar.
        y: with the graph that the gradient follows.

    Raises:
        DtypeError, GradientError: as `slope`.

    Example:
        >>> y, w = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
        >>> through(lambda free: (2 * w * free).sum(), y).backward()
        >>> y.grad, w.grad
        (tensor([2., 2., 2.]), None)
    """
    value, grad = slope(function, y)
    return value.detach() + (precise(y - y.detach()) * grad).sum()


def _traced(function: Callable[[Tensor], Tensor], y: Tensor) -> tuple[Tensor, Tensor]:
    """The same by `torch.func`, which the compiler can trace where autograd's calls it cannot."""

    def summed(free: Tensor) -> tuple[Tensor, Tensor]:
        energy = function(free)
        return energy.sum(), energy

    grad, (_, energy) = torch.func.grad_and_value(summed, has_aux=True)(y)
    return energy, grad
