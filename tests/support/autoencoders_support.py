import torch
from problems import F64, f64, generator, randn
from torch import Tensor, nn

from ebmlab import Method

# Variances of the data along the axes, which a rotation mixes.
VARIANCES = f64([4.0, 2.0, 1.0, 0.25])
SIGMA = 0.7


def rotation(dim: int = 4) -> Tensor:
    return torch.linalg.qr(randn(dim, dim, seed=9))[0]


def covariance() -> Tensor:
    return rotation() @ VARIANCES.diag() @ rotation().T


def gaussian(n: int) -> Tensor:
    """Draws whose sample mean and covariance are exactly 0 and `covariance()`."""
    y = randn(n, 4, seed=3)
    y = y - y.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(y.T @ y / n), y.T, upper=False).T
    return white * VARIANCES.sqrt() @ rotation().T


def linear(inputs: int, outputs: int, *, bias: bool = True, seed: int = 0) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=bias, dtype=F64, device="meta")
    layer.weight = nn.Parameter(0.4 * randn(outputs, inputs, seed=seed))
    if bias:
        layer.bias = nn.Parameter(0.1 * randn(outputs, seed=seed + 1))
    return layer


def sigmoids(inputs: int = 4, outputs: int = 3) -> nn.Sequential:
    """A layer of sigmoids."""
    return nn.Sequential(linear(inputs, outputs, seed=5), nn.Sigmoid())


def minimized(method: Method, y: Tensor, iterations: int = 200) -> float:
    """The loss that full-batch L-BFGS reaches, with the same random numbers in every step."""
    optimizer = torch.optim.LBFGS(
        method.parameters(),
        max_iter=iterations,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-9,
        tolerance_change=0,
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = method(None, y, generator(1)).value
        value.backward()
        return value.detach()

    optimizer.step(closure)
    return float(closure())
