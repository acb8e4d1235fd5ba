"""Relations: pairs (x, y) where one x has several right y, with the exact density of y given x.

Each lower-case name is a callable (n, rng) -> x (n, 1), y (n, 1) in float32 on rng's device. A
regression can only answer with the mean of the right answers; an energy can be low at each.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ebmlab._checks import common_batch, require_positive, require_same_kind
from ebmlab._kinds import require_floats
from ebmlab.data._random import normal, require_draw, sign, uniform
from ebmlab.errors import ShapeError

__all__ = [
    "CrossingLines",
    "InverseSine",
    "NoisyCircle",
    "Relation",
    "circle",
    "crossing_lines",
    "inverse_sine",
]


@dataclass(frozen=True)
class Relation(ABC):
    """A joint distribution of scalars x and y, known exactly.

    Args:
        noise: the standard deviation of what blurs the noise-free relation, > 0.

    Raises:
        ConfigurationError: noise is not positive, n < 1, or rng is missing.

    Example:
        >>> x, y = circle(5, torch.Generator().manual_seed(0))
        >>> circle.log_density(x, y).shape
        torch.Size([5])
        >>> circle.branches(torch.tensor([0.6, 2.0]))
        [tensor([-0.8000,  0.8000]), tensor([])]
    """

    noise: float = 0.05

    def __post_init__(self) -> None:
        require_positive("noise", self.noise)

    def __call__(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: x (n, 1) and y (n, 1)."""
        require_draw(n, rng, type(self).__name__)
        x, y = self._draw(n, rng)
        return x[:, None], y[:, None]

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """The exact log p(y | x) in nats, (*batch), of x (*batch, 1) and y (*batch, 1).

        Leading dimensions broadcast. It is computed in float64 and returned in the inputs' dtype.

        Raises:
            ShapeError: x or y is not (*batch, 1), or the batches differ.
            DtypeError, DeviceError: x and y differ in dtype or device, or are not floating point.
        """
        for name, t in (("x", x), ("y", y)):
            if t.shape[-1:] != (1,):
                raise ShapeError(f"{name} has shape {tuple(t.shape)}; scalars are (*batch, 1)")
            require_floats(name, t)
        require_same_kind({"x": x, "y": y})
        common_batch({"x": x.shape[:-1], "y": y.shape[:-1]})
        return self._log_density(x[..., 0].double(), y[..., 0].double()).to(y.dtype)

    def branches(self, x: Tensor) -> list[Tensor]:
        """The noise-free right answers y for each x (n,): n sorted tensors, empty where none is.

        Raises:
            ShapeError: x is not (n,).
            DtypeError: x is not floating point.
        """
        if x.ndim != 1:
            raise ShapeError(f"x has shape {tuple(x.shape)}; branches are listed for x (n,)")
        require_floats("x", x)
        y, exists = self._branches(x.double())
        return [row[found].sort().values.to(x.dtype) for row, found in zip(y, exists, strict=True)]

    @property
    @abstractmethod
    def y_range(self) -> tuple[float, float]:
        """(low, high): a window that holds all but 1e-8 of p(y | x) at any x likely to occur."""

    @abstractmethod
    def _draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """x (n,) and y (n,)."""

    @abstractmethod
    def _log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(y | x) of float64 tensors that broadcast."""

    @abstractmethod
    def _branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates (n, k) for x (n,) in float64, and which of them exist."""


_BLOCK = 4096


def _blocked_logsumexp(x: Tensor, centers: Tensor, offsets: Tensor, noise: float) -> Tensor:
    """log Σ_k exp(offset_k - (x - center_k)² / 2 noise²), shape of x, in bounded memory."""
    parts = [
        (offsets - 0.5 * ((part[:, None] - centers) / noise).square()).logsumexp(-1)
        for part in x.reshape(-1).split(_BLOCK)
    ]
    return torch.cat(parts).reshape(x.shape)


def _composite_gauss(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]: 16 Gauss-Legendre nodes in each of `panels` equal panels."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    left = np.arange(panels)[:, None]
    return ((left + 0.5 + 0.5 * nodes) / panels).ravel(), np.tile(0.5 * weights / panels, panels)


_AMPLITUDE = 0.3
# Where y + 0.3 sin 2πy turns: 1 + 0.6π cos 2πy = 0.
_TURN = math.acos(-1 / (2 * math.pi * _AMPLITUDE)) / (2 * math.pi)


def _sine(y: Tensor) -> Tensor:
    return y + _AMPLITUDE * (2 * math.pi * y).sin()


@dataclass(frozen=True)
class InverseSine(Relation):
    """The inverse problem x = y + 0.3 sin 2πy + noise·N(0, 1) with y ~ U(0, 1).

    p(y | x) ∝ N(x; y + 0.3 sin 2πy, noise²) on [0, 1], normalized by Gauss-Legendre quadrature.
    Three noise-free answers exist for 0.407 < x < 0.593 only, one elsewhere in [0, 1].

    Example:
        >>> inverse_sine.branches(torch.tensor([0.5, 0.8]))
        [tensor([0.2096, 0.5000, 0.7904]), tensor([0.9292])]

    Source: Bishop 1994, "Mixture density networks".
    """

    @property
    def y_range(self) -> tuple[float, float]:
        """(0, 1): y is nowhere else."""
        return 0.0, 1.0

    def _draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        y = uniform(n, rng)
        return _sine(y) + self.noise * normal(n, rng)[:, 0], y

    def _log_density(self, x: Tensor, y: Tensor) -> Tensor:
        nodes, weights = _composite_gauss(panels=math.ceil(max(4 / self.noise, 16)))
        centers = _sine(torch.as_tensor(nodes, device=x.device))
        offsets = torch.as_tensor(weights, device=x.device).log()
        mass = _blocked_logsumexp(x, centers, offsets, self.noise)
        density = -0.5 * ((x - _sine(y)) / self.noise).square() - mass
        return torch.where((y >= 0) & (y <= 1), density, -torch.inf)

    def _branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The root in each of the three pieces where the sine is monotone, by bisection."""
        edges = torch.tensor([0.0, _TURN, 1 - _TURN, 1.0], dtype=x.dtype, device=x.device)
        low, high = edges[:-1].expand(len(x), 3), edges[1:].expand(len(x), 3)
        slope = torch.tensor([1.0, -1.0, 1.0], dtype=x.dtype, device=x.device)
        at_low, at_high = (slope * (_sine(edge) - x[:, None]) for edge in (low, high))
        # A turning point belongs to the outer pieces, so that it is listed once.
        middle = slope < 0
        exists = torch.where(middle, (at_low < 0) & (at_high > 0), (at_low <= 0) & (at_high >= 0))
        for _ in range(54):
            center = 0.5 * (low + high)
            below = slope * (_sine(center) - x[:, None]) < 0
            low, high = torch.where(below, center, low), torch.where(below, high, center)
        return 0.5 * (low + high), exists


@dataclass(frozen=True)
class NoisyCircle(Relation):
    """(x, y) = (cos θ, sin θ) + noise·N(0, I) with θ uniform: two answers for |x| < 1.

    p(x, y) = exp(-(r - 1)² / 2σ²) i0e(r / σ²) / 2πσ² with r = ‖(x, y)‖ and i0e(a) = e^{-a} I₀(a);
    p(x) = (1/π) ∫₀^π N(x; cos θ, σ²) dθ by the midpoint rule, exact to rounding
    since the integrand is periodic.
    """

    @property
    def y_range(self) -> tuple[float, float]:
        """The circle and six standard deviations of noise."""
        return -1 - 6 * self.noise, 1 + 6 * self.noise

    def _draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        angle = uniform(n, rng, 0.0, 2 * math.pi)
        noise = self.noise * normal(n, rng)
        return angle.cos() + noise[:, 0], angle.sin() + noise[:, 1]

    def _log_density(self, x: Tensor, y: Tensor) -> Tensor:
        variance = self.noise**2
        r = x.hypot(y)
        joint = torch.special.i0e(r / variance).log() - (r - 1).square() / (2 * variance)
        count = math.ceil(max(20 / self.noise, 64))
        angle = math.pi / count * (torch.arange(count, dtype=x.dtype, device=x.device) + 0.5)
        marginal = _blocked_logsumexp(x, angle.cos(), torch.zeros_like(angle), self.noise)
        return joint - marginal + math.log(count) - 0.5 * math.log(2 * math.pi * variance)

    def _branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        height = (1 - x.square()).clamp(min=0).sqrt()
        upper = x.abs() <= 1
        return torch.stack([-height, height], dim=-1), torch.stack([x.abs() < 1, upper], dim=-1)


@dataclass(frozen=True)
class CrossingLines(Relation):
    """y = ±x + noise·N(0, 1) with equal chances and x ~ U(-1, 1): two answers, one at x = 0.

    p(y | x) = ½ N(y; x, noise²) + ½ N(y; -x, noise²).
    """

    @property
    def y_range(self) -> tuple[float, float]:
        """Both lines over -1 <= x <= 1 and six standard deviations of noise."""
        return -1 - 6 * self.noise, 1 + 6 * self.noise

    def _draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        x = uniform(n, rng, -1.0, 1.0)
        return x, sign(n, rng) * x + self.noise * normal(n, rng)[:, 0]

    def _log_density(self, x: Tensor, y: Tensor) -> Tensor:
        rising = -0.5 * ((y - x) / self.noise).square()
        falling = -0.5 * ((y + x) / self.noise).square()
        return rising.logaddexp(falling) - math.log(2 * self.noise * math.sqrt(2 * math.pi))

    def _branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.stack([-x.abs(), x.abs()], dim=-1)
        return both, torch.stack([x != 0, torch.ones_like(x, dtype=torch.bool)], dim=-1)


inverse_sine = InverseSine()
circle = NoisyCircle()
crossing_lines = CrossingLines()
