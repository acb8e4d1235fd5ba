"""Gaussian energies: one, a mixture, and the uniform box."""

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab.energies._densities.density import Density
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.kernels.chain import ROWS, WIDEST, Slope, columns, width

__all__ = ["Gaussian", "GaussianMixture", "Uniform"]


class Gaussian(Density):
    """E(y) = ½ (y - μ)ᵀ Σ⁻¹ (y - μ), log Z = (d/2) log 2π + ½ log det Σ.

    Args:
        mean: μ (d).
        covariance: Σ (d, d), symmetric and positive definite.

    Example:
        >>> Gaussian(torch.zeros(2), torch.eye(2))(None, torch.ones(3, 2))
        tensor([1., 1., 1.])
    """

    mean: Tensor
    scale: Tensor
    whitening: Tensor
    precision: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
            raise ShapeError(
                f"mean has shape {tuple(mean.shape)}, covariance {tuple(covariance.shape)}; "
                "they must be (d,) and (d, d)"
            )
        scale, failed = torch.linalg.cholesky_ex(covariance)
        if failed or not torch.allclose(covariance, covariance.mT):
            raise ConfigurationError("covariance must be symmetric and positive definite")
        self.dim = len(mean)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("scale", scale)
        eye = torch.eye(self.dim).to(scale)
        inverse = torch.linalg.solve_triangular(scale, eye, upper=False)
        self.register_buffer("whitening", inverse)
        self.register_buffer("precision", inverse.mT @ inverse)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Cast or moved, the two forms of Σ⁻¹ stay one to the last digit."""
        super()._apply(fn, recurse)
        self.precision = self.whitening.mT @ self.whitening
        return self

    def potential(self, y: Tensor) -> Tensor:
        return 0.5 * ((y - self.mean) @ self.whitening.mT).square().sum(-1)

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """½ (y - μ)ᵀ g and g = Σ⁻¹ (y - μ): one product where the square takes two."""
        off = y - self.mean
        grad = off @ self.precision
        return 0.5 * (off * grad).sum(-1), grad

    def in_kernel(self) -> Slope | None:
        """Packed are μ and Σ⁻¹."""
        if self.dim > WIDEST:
            return None
        rows = ROWS if width(self.dim) >= ROWS else None
        numbers = torch.cat([columns(self.mean[None]), columns(columns(self.precision).T)])
        return Slope("gaussian", numbers.flatten(), rows=rows)

    @property
    def log_z(self) -> Tensor:
        return self.scale.diagonal().log().sum() + 0.5 * self.dim * math.log(2 * math.pi)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        noise = torch.randn(n, self.dim, generator=rng, device=rng.device, dtype=self.mean.dtype)
        return self.mean + noise @ self.scale.mT


class GaussianMixture(Density):
    """E(y) = -log Σ_k w_k exp(-‖y - μ_k‖² / 2σ²), log Z = (d/2) log 2πσ².

    Args:
        means: μ (k, d).
        scale: σ > 0, shared by all components.
        weights: w (k), positive; normalized to sum to 1. None: equal.

    Example:
        >>> mixture = GaussianMixture(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), scale=0.5)
        >>> mixture.sample(5, torch.Generator().manual_seed(0)).shape
        torch.Size([5, 2])
    """

    means: Tensor
    log_weights: Tensor

    def __init__(self, means: Tensor, scale: float, weights: Tensor | None = None) -> None:
        super().__init__()
        require_positive("scale", scale)
        weights = torch.ones(len(means)).to(means) if weights is None else weights
        if means.ndim != 2 or weights.shape != means.shape[:1]:
            raise ShapeError(
                f"means has shape {tuple(means.shape)}, weights {tuple(weights.shape)}; they must "
                "be (k, d) and (k,)"
            )
        if not bool((weights > 0).all()):
            raise ConfigurationError("weights must be positive")
        self.dim = means.shape[1]
        self.scale = scale
        self.register_buffer("means", means.clone())
        self.register_buffer("log_weights", (weights / weights.sum()).log())

    def potential(self, y: Tensor) -> Tensor:
        return -self._logs(y).logsumexp(0)

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the log, and (y - Σ_k r_k μ_k) / σ², r the responsibilities."""
        logs = self._logs(y)
        energy = -logs.logsumexp(0)
        center = torch.einsum("k...,kd->...d", (logs + energy).exp(), self.means)
        return energy, (y - center) / self.scale**2

    def in_kernel(self) -> Slope | None:
        """Packed are 1 / σ², and log w and μ of each component."""
        if self.dim > WIDEST:
            return None
        each = torch.cat([self.log_weights[:, None], columns(self.means)], dim=1).flatten()
        sharpness = torch.full_like(each[:1], self.scale**-2)
        return Slope("mixture", torch.cat([sharpness, each]), len(self.means))

    def _logs(self, y: Tensor) -> Tensor:
        """Of each unnormalized component, (k, *batch): its own axis first, long ones last."""
        shape = (-1, *[1] * (y.ndim - 1))
        squared = (y - self.means.reshape(*shape, self.dim)).square().sum(-1)
        return self.log_weights.reshape(shape) - squared / (2 * self.scale**2)

    @property
    def log_z(self) -> Tensor:
        return torch.full_like(self.means[0, 0], 0.5 * self.dim) * math.log(
            2 * math.pi * self.scale**2
        )

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        component = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=rng)
        noise = torch.randn(n, self.dim, generator=rng, device=rng.device, dtype=self.means.dtype)
        return self.means[component] + self.scale * noise


class Uniform(Density):
    """E(y) = 0 inside the box low <= y <= high and +∞ outside; log Z = Σ log(high - low).

    Args:
        low, high: corners (d), low < high everywhere.

    Example:
        >>> Uniform(-torch.ones(2), torch.ones(2)).log_z
        tensor(1.3863)
    """

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor) -> None:
        super().__init__()
        if low.ndim != 1 or low.shape != high.shape:
            raise ShapeError(
                f"low has shape {tuple(low.shape)}, high {tuple(high.shape)}; both must be (d,)"
            )
        if not bool((low < high).all()):
            raise ConfigurationError("low must be below high in every coordinate")
        self.dim = len(low)
        self.register_buffer("low", low.clone())
        self.register_buffer("high", high.clone())

    def potential(self, y: Tensor) -> Tensor:
        """0 inside, +∞ outside, with gradient 0 on both sides."""
        inside = ((y >= self.low) & (y <= self.high)).all(-1)
        return torch.where(inside, (0.0 * y).sum(-1), torch.inf)

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.potential(y), torch.zeros_like(y)

    @property
    def log_z(self) -> Tensor:
        return (self.high - self.low).log().sum()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        share = torch.rand(n, self.dim, generator=rng, device=rng.device, dtype=self.low.dtype)
        return self.low + share * (self.high - self.low)
