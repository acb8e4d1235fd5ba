"""Point clouds of the plane within about [-3, 3]², with their exact density where it is known.

Each lower-case name is a callable (n, rng) -> points (n, 2) in float32 on rng's device; the
classes make others of their kind, `Rings(radii=(1.0,), noise=0.3)`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.data._curves import Spirals, SwissRoll, TwoMoons
from ebmlab.data._random import normal, uniform
from ebmlab.data._toy import KnownToy, Toy, pick, polar
from ebmlab.errors import ConfigurationError

__all__ = [
    "Checkerboard",
    "GaussianClusters",
    "KnownToy",
    "Pinwheel",
    "Rings",
    "Spirals",
    "SwissRoll",
    "Toy",
    "TwoMoons",
    "checkerboard",
    "eight_gaussians",
    "grid_gaussians",
    "pinwheel",
    "rings",
    "spirals",
    "swiss_roll",
    "two_moons",
]


@dataclass(frozen=True)
class GaussianClusters(KnownToy):
    """Equally likely round Gaussians: p(y) = mean_k N(y; μ_k, σ²I).

    Args:
        means: μ, one (x, y) per cluster.
        scale: σ > 0.
    """

    means: tuple[tuple[float, float], ...]
    scale: float

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        means = torch.tensor(self.means, device=rng.device)
        return means[pick(len(means), n, rng)] + self.scale * normal(n, rng)

    def _log_density(self, y: Tensor) -> Tensor:
        means = torch.tensor(self.means, dtype=y.dtype, device=y.device)
        squared = (y.unsqueeze(-2) - means).square().sum(-1) / self.scale**2
        area = 2 * math.pi * self.scale**2 * len(self.means)
        return (-0.5 * squared).logsumexp(-1) - math.log(area)


@dataclass(frozen=True)
class Checkerboard(KnownToy):
    """Uniform on every other square of a board centered at the origin.

    Args:
        half_width: the board covers [-half_width, half_width]².
        cells: squares along one side, even.
    """

    half_width: float = 2.0
    cells: int = 4

    def __post_init__(self) -> None:
        require_positive("half_width", self.half_width)
        if self.cells < 2 or self.cells % 2:
            raise ConfigurationError(f"cells is {self.cells}; it must be even and at least 2")

    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        column = pick(self.cells, n, rng)
        row = 2 * pick(self.cells // 2, n, rng) + column % 2
        # Off the edges, where rounding could carry a point into a square of density zero.
        within = torch.stack([uniform(n, rng, 1e-6, 1 - 1e-6) for _ in range(2)], dim=-1)
        board = torch.stack([column, row], dim=-1) + within
        return board * (2 * self.half_width / self.cells) - self.half_width

    def _log_density(self, y: Tensor) -> Tensor:
        square = ((y + self.half_width) * (self.cells / (2 * self.half_width))).floor()
        inside = ((square >= 0) & (square < self.cells)).all(-1)
        colored = square.sum(-1).remainder(2) == 0
        level = torch.full_like(y[..., 0], -math.log(2 * self.half_width**2))
        return level.masked_fill(~(inside & colored), -torch.inf)


@dataclass(frozen=True)
class Rings(KnownToy):
    """Equally likely concentric circles blurred by N(0, σ²I).

    p(y) = mean_k exp(-(‖y‖ - r_k)² / 2σ²) i0e(‖y‖ r_k / σ²) / 2πσ², with i0e(a) = e^{-a} I₀(a).

    Args:
        radii: r.
        noise: σ > 0.
    """

    radii: tuple[float, ...] = (0.7, 1.5, 2.3)
    noise: float = 0.1

    def __post_init__(self) -> None:
        require_positive("noise", self.noise)

    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        radius = torch.tensor(self.radii, device=rng.device)[pick(len(self.radii), n, rng)]
        circle = radius[:, None] * polar(uniform(n, rng, 0.0, 2 * math.pi))
        return circle + self.noise * normal(n, rng)

    def _log_density(self, y: Tensor) -> Tensor:
        radii = torch.tensor(self.radii, dtype=y.dtype, device=y.device)
        r = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
        variance = self.noise**2
        misfit = (r - radii).square() / (2 * variance)
        each = torch.special.i0e(r * radii / variance).log() - misfit
        return each.logsumexp(-1) - math.log(2 * math.pi * variance * len(self.radii))


@dataclass(frozen=True)
class Pinwheel(KnownToy):
    """Gaussian arms on a circle, twisted by an angle in proportion to the distance from 0.

    y = R(2πk/K + τ‖a‖) a with a ~ N((radius, 0), diag(radial², tangential²)). The twist turns each
    circle within itself and so preserves areas: p(y) is the mean over k of the Gaussian at y
    turned back.

    Args:
        arms: K.
        radius: where the middle of an arm lies.
        radial, tangential: standard deviations along and across an arm, > 0.
        twist: τ in radians per unit of length.
    """

    arms: int = 5
    radius: float = 1.5
    radial: float = 0.4
    tangential: float = 0.12
    twist: float = 0.9

    def __post_init__(self) -> None:
        require_counts(arms=self.arms)
        require_positive("radial", self.radial)
        require_positive("tangential", self.tangential)

    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        noise = normal(n, rng)
        a, b = self.radius + self.radial * noise[:, 0], self.tangential * noise[:, 1]
        turn = 2 * math.pi / self.arms * pick(self.arms, n, rng) + self.twist * a.hypot(b)
        cos, sin = turn.cos(), turn.sin()
        return torch.stack([cos * a - sin * b, sin * a + cos * b], dim=-1)

    def _log_density(self, y: Tensor) -> Tensor:
        first, second = y.unsqueeze(-2).unbind(-1)
        arm = torch.arange(self.arms, dtype=y.dtype, device=y.device)
        turn = 2 * math.pi / self.arms * arm + self.twist * first.hypot(second)
        cos, sin = turn.cos(), turn.sin()
        a = (cos * first + sin * second - self.radius) / self.radial
        b = (cos * second - sin * first) / self.tangential
        area = 2 * math.pi * self.radial * self.tangential * self.arms
        return (-0.5 * (a.square() + b.square())).logsumexp(-1) - math.log(area)


eight_gaussians = GaussianClusters(
    tuple((2 * math.cos(k * math.pi / 4), 2 * math.sin(k * math.pi / 4)) for k in range(8)), 0.2
)
grid_gaussians = GaussianClusters(
    tuple((i - 2.0, j - 2.0) for i in range(5) for j in range(5)), 0.1
)
checkerboard = Checkerboard()
rings = Rings()
pinwheel = Pinwheel()
two_moons = TwoMoons()
spirals = Spirals()
swiss_roll = SwissRoll()
