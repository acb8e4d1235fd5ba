"""Test shapes with exact answers: double well, ring, banana, funnel."""

import math

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_number, require_positive
from ebmlab.energies._densities.density import Density, rejection
from ebmlab.kernels.chain import WIDEST, Slope

__all__ = ["Banana", "DoubleWell", "Funnel", "Ring"]


def _normal(n: int, dim: int, rng: torch.Generator) -> Tensor:
    return torch.randn(n, dim, generator=rng, device=rng.device)


def _exact(value: float) -> Tensor:
    """A number in double precision; a 0-d tensor leaves the type of others as it is."""
    return torch.tensor(value, dtype=torch.float64)


def _slope(name: str, dim: int, *numbers: float) -> Slope | None:
    return Slope(name, torch.tensor(numbers)) if dim <= WIDEST else None


class DoubleWell(Density):
    """E(y) = h (y₁² - 1)² + ½ Σ_{i≥2} y_i²: two minima at y₁ = ±1 behind a barrier of h nats.

    Args:
        height: h > 0.
        dim: length of y, at least 1.

    Example:
        >>> DoubleWell()(None, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        tensor([0., 2.])
    """

    def __init__(self, height: float = 2.0, dim: int = 2) -> None:
        super().__init__()
        require_positive("height", height)
        require_counts(dim=dim)
        self.height, self.dim = height, dim

    def potential(self, y: Tensor) -> Tensor:
        well = self.height * (y[..., 0].square() - 1).square()
        return well + 0.5 * y[..., 1:].square().sum(-1)

    def in_kernel(self) -> Slope | None:
        """Packed is h."""
        return _slope("double_well", self.dim, self.height)

    @property
    def log_z(self) -> Tensor:
        """log of (π/2) [I₋¼(h/2) + I¼(h/2)] exp(-h/2), times the Gaussians."""
        from scipy.special import ive

        half = self.height / 2
        well = math.log(math.pi / 2 * (ive(-0.25, half) + ive(0.25, half)))
        return _exact(well + 0.5 * (self.dim - 1) * math.log(2 * math.pi))

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Rejection from two half Gaussians, since (y² - 1)² >= (|y| - 1)²."""

        def propose(m: int) -> tuple[Tensor, Tensor]:
            size = 1 + _normal(m, 1, rng)[:, 0] / math.sqrt(2 * self.height)
            sign = torch.randint(0, 2, (m,), generator=rng, device=rng.device) * 2 - 1
            slack = (size.square() - 1).square() - (size - 1).square()
            return sign * size, torch.where(size > 0, -self.height * slack, -torch.inf)

        first = rejection(n, propose, rng)
        return torch.cat([first[:, None], _normal(n, self.dim - 1, rng)], dim=-1)


class Ring(Density):
    """E(y) = (‖y‖ - r)² / 2σ² in the plane: a circle of radius r, width σ.

    Args:
        radius: r > 0.
        width: σ > 0.

    Example:
        >>> Ring()(None, torch.tensor([[2.0, 0.0], [0.0, 2.2]]))
        tensor([0.0000, 0.5000])
    """

    def __init__(self, radius: float = 2.0, width: float = 0.2) -> None:
        super().__init__()
        require_positive("radius", radius)
        require_positive("width", width)
        self.radius, self.width, self.dim = radius, width, 2

    def potential(self, y: Tensor) -> Tensor:
        return 0.5 * ((torch.linalg.vector_norm(y, dim=-1) - self.radius) / self.width).square()

    def in_kernel(self) -> Slope | None:
        """Packed are r and 1 / σ²."""
        return _slope("ring", self.dim, self.radius, self.width**-2)

    @property
    def log_z(self) -> Tensor:
        """log of 2π [σ² exp(-r²/2σ²) + rσ √(2π) Φ(r/σ)]."""
        r, s = self.radius, self.width
        below = 0.5 * math.erfc(-r / s / math.sqrt(2))
        line = s * math.exp(-0.5 * (r / s) ** 2) + r * math.sqrt(2 * math.pi) * below
        return _exact(math.log(2 * math.pi * s * line))

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """An angle, and a radius by rejection: density ∝ (r + σt) φ(t) <= (r + σ|t|) φ(t)."""
        tail = self.width * math.sqrt(2 / math.pi)

        def propose(m: int) -> tuple[Tensor, Tensor]:
            pair = _normal(m, 2, rng)
            rayleigh = torch.linalg.vector_norm(pair, dim=-1) * pair[:, 0].sign()
            from_tail = torch.rand(m, generator=rng, device=rng.device) < tail / (
                self.radius + tail
            )
            t = torch.where(from_tail, rayleigh, _normal(m, 1, rng)[:, 0])
            rho = self.radius + self.width * t
            return rho, (rho.clamp(min=0) / (self.radius + self.width * t.abs())).log()

        rho = rejection(n, propose, rng)
        angle = 2 * math.pi * torch.rand(n, generator=rng, device=rng.device)
        return rho[:, None] * torch.stack([angle.cos(), angle.sin()], dim=-1)


class Banana(Density):
    """E(y) = ½ y₁²/s² + ½ (y₂ - c (y₁² - s²))²/w²: a Gaussian bent along a parabola.

    Args:
        scale: s > 0, the standard deviation of y₁.
        curvature: c.
        width: w > 0, the standard deviation across.

    Example:
        >>> Banana()(None, torch.tensor([[1.0, 0.0]]))
        tensor([0.5000])

    Source: Haario, Saksman, Tamminen 1999.
    """

    def __init__(self, scale: float = 1.0, curvature: float = 1.0, width: float = 0.3) -> None:
        super().__init__()
        require_positive("scale", scale)
        require_positive("width", width)
        require_number(curvature=curvature)
        self.scale, self.curvature, self.width, self.dim = scale, curvature, width, 2

    def _bend(self, first: Tensor) -> Tensor:
        return self.curvature * (first.square() - self.scale**2)

    def potential(self, y: Tensor) -> Tensor:
        """A standard Gaussian after unbending, which keeps volume."""
        first = y[..., 0] / self.scale
        second = (y[..., 1] - self._bend(y[..., 0])) / self.width
        return 0.5 * (first.square() + second.square())

    def in_kernel(self) -> Slope | None:
        """Packed are s², 1 / s², c and 1 / w²."""
        numbers = self.scale**2, self.scale**-2, self.curvature, self.width**-2
        return _slope("banana", self.dim, *numbers)

    @property
    def log_z(self) -> Tensor:
        """log 2π s w."""
        return _exact(math.log(2 * math.pi * self.scale * self.width))

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        noise = _normal(n, 2, rng)
        first = self.scale * noise[:, 0]
        return torch.stack([first, self._bend(first) + self.width * noise[:, 1]], dim=-1)


class Funnel(Density):
    """E(y) = v²/2s² + ½ e^{-v} Σ y_i² + ½ (d - 1) v with v = y₁: a neck narrower at every step.

    Args:
        dim: length of y, at least 2.
        scale: s > 0, the standard deviation of v.

    Example:
        >>> Funnel()(None, torch.zeros(1, 2))
        tensor([0.])

    Source: Neal 2003, "Slice sampling".
    """

    def __init__(self, dim: int = 2, scale: float = 3.0) -> None:
        super().__init__()
        require_positive("scale", scale)
        require_counts(2, dim=dim)
        self.dim, self.scale = dim, scale

    def potential(self, y: Tensor) -> Tensor:
        v, rest = y[..., 0], y[..., 1:]
        spread = 0.5 * rest.square().sum(-1) * (-v).exp() + 0.5 * (self.dim - 1) * v
        return 0.5 * (v / self.scale).square() + spread

    def in_kernel(self) -> Slope | None:
        """Packed are 1 / s² and (d - 1) / 2."""
        return _slope("funnel", self.dim, self.scale**-2, 0.5 * (self.dim - 1))

    @property
    def log_z(self) -> Tensor:
        """(d/2) log 2π + log s."""
        return _exact(0.5 * self.dim * math.log(2 * math.pi) + math.log(self.scale))

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        v = self.scale * _normal(n, 1, rng)
        return torch.cat([v, (v / 2).exp() * _normal(n, self.dim - 1, rng)], dim=-1)
