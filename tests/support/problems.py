"""Problems with exact answers, and judges that know nothing of how they were solved."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from ebmlab import FunctionEnergy
from ebmlab.energies import (
    Banana,
    Density,
    DoubleWell,
    Gaussian,
    GaussianMixture,
    Reconstruction,
    Ring,
    Uniform,
)

F64 = torch.float64

# Every statistical test of these files is held to this false-alarm rate unless it says otherwise:
# with about a hundred of them the whole suite alarms falsely once in ten thousand seeds.
RATE = 1e-6


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=F64)


def f64(values: object) -> Tensor:
    return torch.tensor(values, dtype=F64)


def points_of(*axes: Tensor) -> Tensor:
    """All points (n, d) of a rectangular grid."""
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, len(axes))


def log_integral(energy: Callable[[Tensor], Tensor], *axes: Tensor) -> float:
    """log ∫ exp(-E) by the trapezoid rule, exact to rounding where exp(-E) fades at the edges."""
    cell = sum(float((axis[1] - axis[0]).log()) for axis in axes)
    return float((-energy(points_of(*axes)).detach()).logsumexp(0)) + cell


def fits(sample: Tensor, cdf: Callable[[np.ndarray], np.ndarray], rate: float = RATE) -> bool:
    """Kolmogorov-Smirnov: whether a sample (n,) may come from a distribution."""
    return bool(stats.kstest(sample.detach().double().numpy(), cdf).pvalue > rate)


def has_variance(sample: Tensor, variance: float, rate: float = RATE) -> bool:
    """Whether independent Gaussian draws of mean 0 may have this variance: Σ y²/σ² ~ χ²(n)."""
    ratio = float(sample.detach().double().square().sum()) / variance
    below = float(stats.chi2.cdf(ratio, sample.numel()))
    above = float(stats.chi2.sf(ratio, sample.numel()))
    return 2 * min(below, above) > rate


def has_mean(sample: Tensor, mean: float, std: float, rate: float = RATE) -> bool:
    """Whether many independent draws of known standard deviation may have this mean."""
    z = (float(sample.detach().double().mean()) - mean) / (std / sample.numel() ** 0.5)
    return bool(2 * stats.norm.sf(abs(z)) > rate)


@dataclass(frozen=True)
class PlaneProblem:
    """A density of the plane, one of the wrong width beside it, and a window that holds it."""

    density: Density
    wrong: Density
    center: tuple[float, float]
    reach: float

    def projected(self, angle: float) -> tuple[Tensor, Callable[[np.ndarray], np.ndarray]]:
        """A direction, and the distribution of y along it by quadrature over the window."""
        along = f64([np.cos(angle), np.sin(angle)])
        across = f64([-np.sin(angle), np.cos(angle)])
        axis = torch.linspace(-self.reach, self.reach, 701, dtype=F64)
        grid = points_of(axis, axis)
        y = f64(self.center) + grid[:, :1] * along + grid[:, 1:] * across
        mass = (-self.density(None, y)).exp().reshape(len(axis), -1).sum(1)
        # Each cell's mass is spread evenly: its right edge holds all mass so far.
        edges = (axis + (axis[1] - axis[0]) / 2 + f64(self.center) @ along).numpy()
        below = (mass.cumsum(0) / mass.sum()).numpy()
        return along, lambda t: np.interp(t, edges, below, left=0.0)

    def accepts(self, y: Tensor) -> bool:
        """Whether a sample (n, 2) fits along four directions, each at a quarter of the rate."""
        for angle in (0.0, 0.7, 1.571, 2.5):
            along, cdf = self.projected(angle)
            if not fits(y.double() @ along, cdf, RATE / 4):
                return False
        return True


def covariance(*rows: list[float]) -> Tensor:
    return f64(list(rows))


COVARIANCE_2 = covariance([2.0, 0.9], [0.9, 0.8])
COVARIANCE_3 = covariance([1.5, 0.4, -0.3], [0.4, 0.9, 0.5], [-0.3, 0.5, 0.7])
MEANS = f64([[-2.0, 0.0], [1.0, 1.5], [2.0, -2.0]])
WEIGHTS = f64([1.0, 2.0, 3.0])

PLANE = {
    "gaussian": PlaneProblem(
        Gaussian(f64([0.5, -1.0]), COVARIANCE_2),
        Gaussian(f64([0.5, -1.0]), 1.3 * COVARIANCE_2),
        (0.5, -1.0),
        10.0,
    ),
    "mixture": PlaneProblem(
        GaussianMixture(MEANS, 0.5, WEIGHTS), GaussianMixture(MEANS, 0.5), (0.0, 0.0), 7.0
    ),
    "double well": PlaneProblem(DoubleWell(2.0), DoubleWell(3.0), (0.0, 0.0), 7.0),
    "shallow well": PlaneProblem(DoubleWell(0.2), DoubleWell(0.4), (0.0, 0.0), 7.0),
    "ring": PlaneProblem(Ring(2.0, 0.2), Ring(2.0, 0.3), (0.0, 0.0), 4.0),
    "disc": PlaneProblem(Ring(0.7, 1.0), Ring(0.7, 1.2), (0.0, 0.0), 8.0),
    "banana": PlaneProblem(Banana(1.0, 0.5, 0.4), Banana(1.2, 0.5, 0.4), (0.0, 3.0), 11.0),
    "box": PlaneProblem(
        Uniform(f64([-1.0, 0.0]), f64([1.0, 3.0])),
        Uniform(f64([-1.1, 0.0]), f64([1.1, 3.0])),
        (0.0, 1.5),
        2.0,
    ),
}


# u² - 1 with u ~ Gamma(2, rate 4): NaN below -1, mean 6/16 - 1.
ROOT_MEAN = -0.625
ROOT_STD = (120 / 256 - (6 / 16) ** 2) ** 0.5


def root(y: Tensor) -> Tensor:
    """E = 4 √(y + 1), with nothing but NaN below -1."""
    return 4 * (y + 1).sqrt().sum(-1)


def root_draws(n: int, seed: int) -> Tensor:
    uniform = torch.rand(n, 2, generator=generator(seed), dtype=F64)
    return ((-uniform.log() / 4).sum(1, keepdim=True)).square() - 1


def root_cdf(t: np.ndarray) -> np.ndarray:
    return stats.gamma.cdf(np.sqrt(t + 1), 2, scale=1 / 4)


def log_gamma(y: Tensor) -> Tensor:
    """E of y = log G, G ~ Gamma(2): skewed, steep on the right, slow on the left."""
    return (y.exp() - 2 * y).sum(-1)


def log_gamma_draws(n: int, seed: int) -> Tensor:
    uniform = torch.rand(n, 2, generator=generator(seed), dtype=F64)
    return (-uniform.log()).sum(1, keepdim=True).log()


def log_gamma_cdf(t: np.ndarray) -> np.ndarray:
    return stats.gamma.cdf(np.exp(t), 2)


class Ellipse(nn.Module):
    """g(z) = (w1 cos z, w2 sin z)."""

    def __init__(self, w: tuple[float, float]) -> None:
        super().__init__()
        self.w = nn.Parameter(f64(w))

    def forward(self, z: Tensor) -> Tensor:
        return self.w * torch.cat([z.cos(), z.sin()], dim=-1)


def ellipse(w: tuple[float, float] = (2.0, 1.5)) -> tuple[Reconstruction, Tensor]:
    """The energy ‖y - g(z)‖² and its 48 atoms on [0, 2π)."""
    atoms = torch.arange(48, dtype=F64)[:, None] * (np.pi / 24)
    return Reconstruction(Ellipse(w), takes_x=False), atoms


class Net(nn.Module):
    """A smooth function of several vectors side by side, in float64."""

    def __init__(self, inputs: int, outputs: int, seed: int = 0) -> None:
        super().__init__()
        self.inner = nn.Parameter(randn(inputs, 8, seed=seed))
        self.outer = nn.Parameter(randn(8, outputs, seed=seed + 1))

    def forward(self, *parts: Tensor) -> Tensor:
        return (torch.cat(parts, dim=-1) @ self.inner).tanh() @ self.outer


def conditional(seed: int = 0) -> Reconstruction:
    """‖y - net(x, z)‖² with x (2), z (3) and y (2)."""
    return Reconstruction(Net(5, 2, seed))


def latent(function: Callable[[Tensor, Tensor], Tensor]) -> FunctionEnergy:
    """E(y, z) as an energy."""
    return FunctionEnergy(function, ("y", "z"))
