"""y = W z + b + σ ε with z ~ N(0, 1): its likelihood, its posterior, and networks that give it."""

import math

import torch
from problems import F64, randn
from torch import Tensor, nn

from ebmlab.energies import GaussianNLL, Reconstruction

STD = 0.6
# Orthogonal columns: the posterior's coordinates are independent, as an encoder's are.
WEIGHT = torch.tensor([[1.5, 0.0], [0.0, 0.5], [1.0, 0.0], [0.0, -0.8]], dtype=F64)
OFFSET = torch.tensor([0.3, -0.2, 0.0, 1.0], dtype=F64)


class Linear(nn.Module):
    """(M (y - b), s): the mean and log std of z."""

    def __init__(self, matrix: Tensor, offset: Tensor, log_std: Tensor) -> None:
        super().__init__()
        self.matrix, self.offset = nn.Parameter(matrix), nn.Parameter(offset)
        self.log_std = nn.Parameter(log_std)

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        mean = (y - self.offset) @ self.matrix.T
        return mean, self.log_std.expand_as(mean)


def decoder(weight: Tensor = WEIGHT, offset: Tensor = OFFSET) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], dtype=F64)
    with torch.no_grad():
        made.weight.copy_(weight)
        made.bias.copy_(offset)
    return made


def model() -> Reconstruction:
    """-log p(y | z)."""
    return Reconstruction(decoder(), GaussianNLL(STD), takes_x=False)


def posterior_encoder() -> Linear:
    """The posterior itself, W having orthogonal columns."""
    precision = 1 + WEIGHT.square().sum(0) / STD**2
    return Linear((WEIGHT / precision / STD**2).T.clone(), OFFSET.clone(), -0.5 * precision.log())


def poor_encoder() -> Linear:
    """Near the posterior and wider, so that no weight is large."""
    best = posterior_encoder()
    with torch.no_grad():
        best.matrix.add_(0.1 * randn(*best.matrix.shape, seed=5))
        best.log_std.add_(torch.tensor([0.3, 0.2], dtype=F64))
    return best


def negative_log_likelihood(
    y: Tensor, weight: Tensor = WEIGHT, offset: Tensor = OFFSET, std: float = STD
) -> Tensor:
    """-log N(y; b, W Wᵀ + σ²), datum by datum."""
    total = weight @ weight.T + std**2 * torch.eye(len(weight), dtype=F64)
    off = y - offset
    fit = torch.einsum("ni,ij,nj->n", off, torch.linalg.inv(total), off)
    return 0.5 * (fit + torch.logdet(total) + len(weight) * math.log(2 * math.pi))


def draws(n: int, seed: int = 0) -> Tensor:
    """Data (n, 4) of the model."""
    return randn(n, 2, seed=seed) @ WEIGHT.T + OFFSET + STD * randn(n, 4, seed=seed + 100)
