"""Where z lives: vectors, spheres, circles, simplices, one-hot and binary codes."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.energies import unit
from ebmlab.errors import ConfigurationError, ShapeError

__all__ = [
    "Circle",
    "Finite",
    "Hypercube",
    "OneHot",
    "Simplex",
    "Smooth",
    "Space",
    "Sphere",
    "Vector",
]

MOST_ATOMS = 2**20


@dataclass(frozen=True)
class Space(ABC):
    """A set of vectors z (*batch, dim), with the point of it that is nearest to any vector.

    Args:
        dim: the length of z.
    """

    dim: int

    def __post_init__(self) -> None:
        require_counts(dim=self.dim)

    @abstractmethod
    def project(self, z: Tensor) -> Tensor:
        """The nearest point of the space, for each z (*batch, dim)."""

    def draw(self, n: int, rng: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """N draws (n, dim) of its usual law: uniform, where there is such a one."""
        raise ConfigurationError(f"{self} has no law to draw from; pass a Density")

    def distinct(self, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
        """N draws that differ, where the space is finite; raises if it has fewer points."""
        return self.draw(n, rng, dtype)

    @final
    def contains(self, z: Tensor, tolerance: float = 1e-5) -> Tensor:
        """Which z (*batch, dim) lie in the space, up to a distance: bool (*batch).

        Raises:
            ShapeError: z is not (*batch, dim).
        """
        if z.ndim < 1 or z.shape[-1] != self.dim:
            raise ShapeError(f"z has shape {tuple(z.shape)}; {self} holds (*batch, {self.dim})")
        near = torch.linalg.vector_norm(z - self.project(z), dim=-1) <= tolerance
        return near & z.isfinite().all(-1)

    @final
    def require(self, name: str, z: Tensor) -> None:
        """Raise a ConfigurationError unless every z lies in the space."""
        outside = ~self.contains(z)
        if bool(outside.any()):
            row = z[outside][0].tolist()
            raise ConfigurationError(f"{name} holds {row[:4]}, outside {self}; use its project(z)")


class Smooth(Space):
    """A space that a descent can move in."""

    def retract(self, z: Tensor, step: Tensor) -> Tensor:
        """Where a step from z ends, back in the space."""
        return self.project(z + self.along(z, step))

    def along(self, z: Tensor, step: Tensor) -> Tensor:
        """The part of a step (*batch, dim) that leads along the space at z."""
        return step

    def toward(self, z: Tensor, other: Tensor) -> Tensor:
        """The step along the space from z that leads to another point, or near a far one."""
        return self.along(z, other - z)

    def stationary(self, z: Tensor, grad: Tensor) -> Tensor:
        """A vector that is 0 where the slope leads nowhere lower; its length is the residual."""
        return self.along(z, grad)


class Vector(Smooth):
    """All of R^dim.

    Example:
        >>> Vector(2).draw(4, torch.Generator()).shape
        torch.Size([4, 2])
    """

    def project(self, z: Tensor) -> Tensor:
        """The same z: every vector is in the space."""
        return z

    def draw(self, n: int, rng: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Standard normal draws (n, dim); there are no uniform ones."""
        return torch.randn(n, self.dim, generator=rng, dtype=dtype, device=rng.device)


class Circle(Smooth):
    """Angles z in [0, 2π), whose ends meet; dim is 1.

    Example:
        >>> Circle().atoms(4).flatten()
        tensor([0.0000, 1.5708, 3.1416, 4.7124])
    """

    def __init__(self) -> None:
        super().__init__(1)

    @property
    def log_volume(self) -> float:
        """log 2π."""
        return math.log(2 * math.pi)

    def project(self, z: Tensor) -> Tensor:
        """The same angle in [0, 2π)."""
        wrapped = z.remainder(2 * math.pi)
        # Rounding takes the smallest negative angles to 2π itself.
        return torch.where(wrapped < 2 * math.pi, wrapped, 0.0)

    def toward(self, z: Tensor, other: Tensor) -> Tensor:
        """The shorter way round, in [-π, π)."""
        return (other - z + math.pi).remainder(2 * math.pi) - math.pi

    def draw(self, n: int, rng: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Uniform angles (n, 1)."""
        draws = torch.rand(n, 1, generator=rng, dtype=dtype, device=rng.device)
        return self.project(2 * math.pi * draws)

    def atoms(self, k: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """K angles (k, 1), evenly spaced from 0."""
        require_counts(k=k)
        return (2 * math.pi / k) * torch.arange(k, dtype=dtype)[:, None]


class Sphere(Smooth):
    """Unit vectors of R^dim, dim >= 2.

    Example:
        >>> Sphere(3).retract(torch.eye(3)[:1], 10 * torch.eye(3)[:1])
        tensor([[1., 0., 0.]])
    """

    def __post_init__(self) -> None:
        require_counts(2, dim=self.dim)

    @property
    def log_volume(self) -> float:
        """The log of its surface, 2 π^{dim/2} / Γ(dim/2)."""
        return math.log(2) + 0.5 * self.dim * math.log(math.pi) - math.lgamma(0.5 * self.dim)

    def project(self, z: Tensor) -> Tensor:
        """z / ‖z‖; a zero vector goes to the first axis."""
        length = z.detach().abs().amax(-1, keepdim=True)
        first = torch.zeros_like(z)
        first[..., 0] = 1
        return unit(torch.where(length > 0, z, first))

    def along(self, z: Tensor, step: Tensor) -> Tensor:
        """The tangent part, step - (step·z) z."""
        return step - (step * z).sum(-1, keepdim=True) * z

    def draw(self, n: int, rng: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Uniform unit vectors (n, dim)."""
        return self.project(Vector(self.dim).draw(n, rng, dtype))


class Simplex(Smooth):
    """Probabilities: z >= 0, Σ z = 1.

    Example:
        >>> Simplex(3).project(torch.tensor([[0.5, 0.5, -3.0], [2.0, 0.0, 0.0]]))
        tensor([[0.5000, 0.5000, 0.0000],
                [1.0000, 0.0000, 0.0000]])

    Source: Held, Wolfe, Crowder 1974 (the projection).
    """

    @property
    def log_volume(self) -> float:
        """The log of its surface, √dim / (dim - 1)!."""
        return 0.5 * math.log(self.dim) - math.lgamma(self.dim)

    def project(self, z: Tensor) -> Tensor:
        """max(z - τ, 0), with the τ for which it sums to 1; right at τ the slope is 0."""
        largest = z.sort(-1, descending=True).values
        counts = torch.arange(1, self.dim + 1, dtype=z.dtype, device=z.device)
        thresholds = (largest.cumsum(-1) - 1) / counts
        support = (largest > thresholds).sum(-1, keepdim=True).clamp(min=1)
        return (z - thresholds.gather(-1, support - 1)).relu()

    def stationary(self, z: Tensor, grad: Tensor) -> Tensor:
        """z - P(z - ∇u), which is 0 at a constrained minimum, corners included."""
        return z - self.project(z - grad)

    def draw(self, n: int, rng: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Uniform probabilities (n, dim): Dirichlet(1, …, 1)."""
        draws = torch.rand(n, self.dim, generator=rng, dtype=dtype, device=rng.device)
        weights = -torch.log1p(-draws) + torch.finfo(dtype).tiny
        return weights / weights.sum(-1, keepdim=True)


class Finite(Space):
    """A space of finitely many points: enumerate it, there is nothing to descend along."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many points there are."""

    @property
    def log_volume(self) -> float:
        """The log of how many points there are."""
        return math.log(self.size)

    @abstractmethod
    def point(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """The points of these numbers: (n,) -> (n, dim)."""

    @final
    def atoms(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """All points, (size, dim).

        Raises:
            ConfigurationError: there are more than a million.
        """
        if self.size > MOST_ATOMS:
            raise ConfigurationError(f"{self} has {self.size} points, too many to list")
        return self.point(torch.arange(self.size), dtype)

    def distinct(self, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
        """N different points (n, dim)."""
        if self.size < n:
            raise ConfigurationError(f"{n} points asked for, but {self} has {self.size} points")
        order = torch.randperm(self.size, generator=rng, device=rng.device)
        return self.atoms(dtype).to(rng.device)[order[:n]]

    @final
    def draw(self, n: int, rng: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Uniform draws (n, dim) of its points."""
        index = torch.randint(self.size, (n,), generator=rng, device=rng.device)
        return self.point(index, dtype)


class OneHot(Finite):
    """The unit vectors e_1, …, e_dim.

    Example:
        >>> OneHot(3).project(torch.tensor([[0.2, 0.7, 0.1]]))
        tensor([[0., 1., 0.]])
    """

    @property
    def size(self) -> int:
        """Dim."""
        return self.dim

    def point(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """The unit vectors of these axes."""
        return torch.nn.functional.one_hot(index, self.dim).to(dtype)

    def project(self, z: Tensor) -> Tensor:
        """The axis of the largest entry."""
        return self.point(z.argmax(-1), z.dtype)


class Hypercube(Finite):
    """{0, 1}^dim, dim <= 62.

    Example:
        >>> Hypercube(2).atoms()
        tensor([[0., 0.],
                [0., 1.],
                [1., 0.],
                [1., 1.]])
    """

    def __post_init__(self) -> None:
        require_counts(dim=self.dim)
        if self.dim > 62:
            raise ConfigurationError(f"dim is {self.dim}; Hypercube needs 1 to 62")

    @property
    def size(self) -> int:
        """2^dim."""
        return 2**self.dim

    def point(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """The binary digits of these numbers, the first the largest."""
        places = torch.arange(self.dim - 1, -1, -1, device=index.device)
        return ((index[:, None] >> places) & 1).to(dtype)

    def project(self, z: Tensor) -> Tensor:
        """1 where z is above ½, 0 elsewhere."""
        return (z > 0.5).to(z.dtype)
