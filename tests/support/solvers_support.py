"""Random problems for solvers, one per row, and what SciPy makes of each row on its own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from problems import F64, randn
from scipy import optimize
from torch import Tensor


@dataclass(frozen=True)
class Valleys:
    """u(z) = 0.1 ‖z‖² + a·tanh(Wᵀz + b_i): smooth, bounded below, with several minima per row."""

    seed: int
    rows: int
    dim: int = 3
    hidden: int = 12

    def potential(self, which: slice = slice(None)) -> Callable[[Tensor], Tensor]:
        weight = randn(self.dim, self.hidden, seed=10 * self.seed)
        shift = randn(self.rows, self.hidden, seed=10 * self.seed + 1)[which]
        scale = 0.6 * randn(self.hidden, seed=10 * self.seed + 2)
        return lambda z: 0.1 * z.square().sum(-1) + (z @ weight + shift).tanh() @ scale


@dataclass(frozen=True)
class Curves:
    """r(z) = tanh(Wᵀz) A - y_i, y_i a point of the surface and noise: nonlinear least squares."""

    seed: int
    rows: int
    dim: int = 2
    outputs: int = 6

    def residuals(self, which: slice = slice(None)) -> Callable[[Tensor], Tensor]:
        weight = randn(self.dim, 8, seed=10 * self.seed)
        outer = randn(8, self.outputs, seed=10 * self.seed + 1)
        noise = 0.1 * randn(self.rows, self.outputs, seed=10 * self.seed + 3)
        truth = randn(self.rows, self.dim, seed=10 * self.seed + 2)
        target = ((truth @ weight).tanh() @ outer + noise)[which]
        return lambda z: (z @ weight).tanh() @ outer - target


def minimized(u: Callable[[Tensor], Tensor], start: Tensor) -> tuple[float, Tensor]:
    """What L-BFGS-B makes of one row (dim,): energy and argmin."""

    def value_and_grad(z: np.ndarray) -> tuple[float, np.ndarray]:
        point = torch.from_numpy(z)[None].requires_grad_()
        energy = u(point)
        (grad,) = torch.autograd.grad(energy.sum(), point)
        return energy.item(), grad[0].numpy()

    options = {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 1000}
    found = optimize.minimize(
        value_and_grad, start.numpy(), jac=True, method="L-BFGS-B", options=options
    )
    return float(found.fun), torch.from_numpy(found.x)


def fitted(residuals: Callable[[Tensor], Tensor], start: Tensor) -> tuple[float, Tensor]:
    """What scipy's Levenberg-Marquardt makes of one row (dim,): ‖r‖² and argmin."""

    def slopes(z: np.ndarray) -> np.ndarray:
        point = torch.from_numpy(z)
        found = torch.autograd.functional.jacobian(lambda p: residuals(p[None])[0], point)
        assert isinstance(found, Tensor)
        return found.numpy()

    found = optimize.least_squares(
        lambda z: residuals(torch.from_numpy(z)[None])[0].numpy(),
        start.numpy(),
        jac=slopes,
        method="lm",
        xtol=1e-12,
        ftol=1e-14,
        gtol=1e-12,
    )
    return 2 * float(found.cost), torch.from_numpy(found.x)


def starts(rows: int, dim: int, seed: int) -> Tensor:
    return 2 * randn(rows, dim, seed=1000 + seed)


def scaled_valley(z: Tensor) -> Tensor:
    """Rosenbrock's valley, minimum 0 at (1, 1)."""
    return 100 * (z[:, 1] - z[:, 0] ** 2).square() + (1 - z[:, 0]).square()


def counted(u: Callable[[Tensor], Tensor]) -> tuple[Callable[[Tensor], Tensor], list[int]]:
    """The same function, and a list that grows with each call."""
    calls: list[int] = []

    def function(z: Tensor) -> Tensor:
        calls.append(len(z))
        return u(z)

    return function, calls


__all__ = ["F64", "Curves", "Valleys", "counted", "fitted", "minimized", "scaled_valley", "starts"]
