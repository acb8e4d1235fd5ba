"""Point clouds of the plane within about [-3, 3]², with their exact density where it is known.

Each lower-case name is a callable (n, rng) -> points (n, 2) in float32 on rng's device; the
classes make others of their kind, `Rings(radii=(1.0,), noise=0.3)`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._distances import squared_distances
from ebmlab.data._random import normal, require_draw, sign, uniform
from ebmlab.errors import ConfigurationError, ShapeError

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


# Points judged at a time where a density is a sum over a curve.
_BLOCK = 4096


class Toy(ABC):
    """A distribution of points in the plane: call it for draws.

    Example:
        >>> two_moons(4, torch.Generator().manual_seed(0)).shape
        torch.Size([4, 2])
    """

    def __call__(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw n independent points (n, 2); ConfigurationError if n < 1, or rng is missing."""
        require_draw(n, rng, type(self).__name__)
        return self._draw(n, rng)

    @abstractmethod
    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        """n points (n, 2)."""


class KnownToy(Toy):
    """A toy whose normalized density is known.

    Example:
        >>> checkerboard.log_density(torch.tensor([[0.5, 0.5], [0.5, -0.5]]))
        tensor([-2.0794,    -inf])
    """

    def log_density(self, y: Tensor) -> Tensor:
        """The exact log p(y) in nats, (*batch), of points y (*batch, 2)."""
        if y.shape[-1:] != (2,):
            raise ShapeError(f"y has shape {tuple(y.shape)}; points of the plane are (*batch, 2)")
        return self._log_density(y)

    @abstractmethod
    def _log_density(self, y: Tensor) -> Tensor:
        """Log densities (*batch)."""


def _polar(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def _pick(count: int, n: int, rng: torch.Generator) -> Tensor:
    return torch.randint(0, count, (n,), generator=rng, device=rng.device)


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
        return means[_pick(len(means), n, rng)] + self.scale * normal(n, rng)

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
        column = _pick(self.cells, n, rng)
        row = 2 * _pick(self.cells // 2, n, rng) + column % 2
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
        radius = torch.tensor(self.radii, device=rng.device)[_pick(len(self.radii), n, rng)]
        circle = radius[:, None] * _polar(uniform(n, rng, 0.0, 2 * math.pi))
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
        turn = 2 * math.pi / self.arms * _pick(self.arms, n, rng) + self.twist * a.hypot(b)
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


class _Curve(KnownToy):
    """A curve and its mirror image through the origin, blurred by N(0, noise² I)."""

    noise: float
    # Along the curve, so that they lie closer than its blur.
    _nodes: ClassVar[int]

    def __post_init__(self) -> None:
        require_positive("noise", self.noise)

    @abstractmethod
    def _at(self, share: Tensor) -> Tensor:
        """The curve's points (n, 2) below which a share (n,) of its mass lies."""

    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        side = sign(n, rng)[:, None]
        return side * self._at(uniform(n, rng)) + self.noise * normal(n, rng)

    def _log_density(self, y: Tensor) -> Tensor:
        """log of the mean of Gaussians along the curve: Gauss and Legendre's rule over √share."""
        places, weights = np.polynomial.legendre.leggauss(self._nodes)
        root = (torch.tensor(places, device=y.device) + 1) / 2
        centers = self._at(root.square())
        level = (torch.tensor(weights, device=y.device) * root).log()
        level = (level - math.log(4 * math.pi * self.noise**2)).repeat(2)
        parts = []
        for part in y.reshape(-1, 2).split(_BLOCK):
            each = [squared_distances(side, centers).double() for side in (part, -part)]
            parts.append((level - torch.cat(each, 1) / (2 * self.noise**2)).logsumexp(1))
        return torch.cat(parts).reshape(y.shape[:-1]).to(y)


@dataclass(frozen=True)
class TwoMoons(_Curve):
    """Two interlocking half circles of radius `radius`, blurred by N(0, noise² I)."""

    radius: float = 1.6
    noise: float = 0.12
    _nodes: ClassVar[int] = 128

    def _at(self, share: Tensor) -> Tensor:
        half_circle = _polar(math.pi * share)
        # Shifted so that it interlocks with its mirror image through the origin.
        return self.radius * (half_circle - half_circle.new_tensor([0.5, 0.25]))


@dataclass(frozen=True)
class Spirals(_Curve):
    """Two Archimedean arms, r = radius·s at the angle 2π·turns·s with s² ~ U(0, 1), blurred."""

    radius: float = 2.5
    turns: float = 1.5
    noise: float = 0.08
    _nodes: ClassVar[int] = 320

    def _at(self, share: Tensor) -> Tensor:
        along = share.sqrt()
        return self.radius * along[:, None] * _polar(2 * math.pi * self.turns * along)


@dataclass(frozen=True)
class SwissRoll(Toy):
    """One Archimedean arm, r = radius·s at the angle 2π·turns·s with s ~ U(inner, 1), blurred."""

    radius: float = 2.5
    turns: float = 2.25
    inner: float = 1 / 3
    noise: float = 0.08

    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        along = uniform(n, rng, self.inner, 1.0)
        arm = _polar(2 * math.pi * self.turns * along) * along[:, None]
        return self.radius * arm + self.noise * normal(n, rng)


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
