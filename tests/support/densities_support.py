"""Objectives of densities: an energy with a precision matrix to learn, and its exact answers."""

from collections.abc import Callable

import torch
from problems import F64, f64, generator
from torch import Tensor, nn

from ebmlab import Energy
from ebmlab.protocols import Objective

PRECISION = f64(
    [[2.0, 0.5, 0.0, -0.3], [0.5, 1.0, 0.2, 0.0], [0.0, 0.2, 1.5, 0.4], [-0.3, 0.0, 0.4, 0.8]]
)


class Quadratic(Energy):
    """E(y) = ½ yᵀ P y with a symmetric P to learn, from the unit matrix on."""

    takes_x = False

    def __init__(self, dim: int, precision: Tensor | None = None) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.eye(dim, dtype=F64) if precision is None else precision)

    @property
    def precision(self) -> Tensor:
        return 0.5 * (self.free + self.free.mT)

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None) -> Tensor:
        return 0.5 * ((y @ self.precision) * y).sum(-1)


def draws(n: int, precision: Tensor, seed: int = 0) -> Tensor:
    """Points (n, dim) of mean 0 and exactly this precision, by whitening."""
    noise = torch.randn(n, len(precision), generator=generator(seed), dtype=F64)
    noise = noise - noise.mean(0)
    white = noise @ torch.linalg.inv(torch.linalg.cholesky(noise.mT @ noise / n)).mT
    return white @ torch.linalg.cholesky(torch.linalg.inv(precision)).mT


def fitted(objective: Objective, energy: Energy, y: Tensor, *, seed: int = 1, steps: int = 6):
    """Newton's method on all y, the same random numbers throughout; steps are halved uphill."""
    learned = list(energy.parameters())

    def value() -> Tensor:
        return objective(energy, None, y, generator(seed)).value

    for _ in range(steps):
        here = value()
        grads = torch.autograd.grad(here, learned, create_graph=True)
        flat = torch.cat([grad.flatten() for grad in grads])
        rows = [torch.autograd.grad(each, learned, retain_graph=True) for each in flat]
        hessian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
        # What is not symmetric in P plays no part: the least step leaves it alone.
        step = -torch.linalg.pinv(hessian, hermitian=True) @ flat.detach()
        start = nn.utils.parameters_to_vector(learned).detach()
        with torch.no_grad():
            for size in (1.0, 0.5, 0.25, 0.1, 0.03):
                nn.utils.vector_to_parameters(start + size * step, learned)
                if value() <= here:
                    break


def gradient(value: Tensor, energy: Energy) -> list[Tensor]:
    return list(torch.autograd.grad(value, list(energy.parameters())))


def expectation(
    energy: Energy, values: Tensor, weights: Tensor, of: Callable[[Tensor], Tensor] = torch.sum
) -> list[Tensor]:
    """E_weights[∂E/∂θ] over values, parameter by parameter."""
    return gradient(of(weights.detach() * energy(None, values)), energy)
