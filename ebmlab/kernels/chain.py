"""Whole Langevin chains of the plane in one kernel: y and its noise never leave the registers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.kernels.philox import randn4x, require_stream, runs_fused

__all__ = ["GaussianSlope", "MixtureSlope", "Slope", "WellSlope", "langevin_chain"]

Pair = tuple[Tensor, Tensor]


class Slope(ABC):
    """The gradient of an energy of the plane, written twice: for torch and for Triton.

    Example:
        >>> issubclass(WellSlope, Slope)
        True
    """

    @abstractmethod
    def __call__(self, a: Tensor, b: Tensor) -> Pair:
        """(∂E/∂a, ∂E/∂b) at the points (a, b), each (chains,)."""

    @abstractmethod
    def fused(self) -> tuple[Any, int, Tensor]:
        """The Triton function (a, b, packed, COUNT) of it, its COUNT, and packed numbers (p,)."""


@dataclass(frozen=True, eq=False)
class WellSlope(Slope):
    """The gradient of h (a² - 1)² + ½ b².

    Args:
        height: h, a 0-d tensor.

    Example:
        >>> WellSlope(torch.tensor(2.0))(torch.tensor([2.0]), torch.tensor([3.0]))
        (tensor([48.]), tensor([3.]))
    """

    height: Tensor

    def __call__(self, a: Tensor, b: Tensor) -> Pair:
        """(4 h a (a² - 1), b)."""
        return 4 * self.height * a * (a * a - 1), b

    def fused(self) -> tuple[Any, int, Tensor]:
        """Packed is (h)."""
        from ebmlab.kernels import chain_triton

        return chain_triton.well, 1, self.height.reshape(1)


@dataclass(frozen=True, eq=False)
class GaussianSlope(Slope):
    """The gradient of ½ Σ_i p_i (y_i - μ_i)².

    Args:
        mean: μ (2).
        precision: p (2), one over the variances.

    Example:
        >>> slope = GaussianSlope(torch.zeros(2), torch.tensor([1.0, 4.0]))
        >>> slope(torch.ones(1), torch.ones(1))
        (tensor([1.]), tensor([4.]))
    """

    mean: Tensor
    precision: Tensor

    def __call__(self, a: Tensor, b: Tensor) -> Pair:
        """Each coordinate on its own."""
        mean, precision = self.mean, self.precision
        return precision[0] * (a - mean[0]), precision[1] * (b - mean[1])

    def fused(self) -> tuple[Any, int, Tensor]:
        """Packed are (μ1, μ2, p1, p2)."""
        from ebmlab.kernels import chain_triton

        return chain_triton.gaussian, 1, torch.cat([self.mean, self.precision])


@dataclass(frozen=True, eq=False)
class MixtureSlope(Slope):
    """The gradient of -log Σ_k w_k exp(-½ p ‖y - μ_k‖²): p (y - Σ_k r_k μ_k), r the shares at y.

    Args:
        means: μ (k, 2).
        precision: p, a 0-d tensor: one over the variance that all components share.
        log_weights: log w (k).

    Example:
        >>> means = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
        >>> slope = MixtureSlope(means, torch.tensor(4.0), torch.zeros(2))
        >>> slope(torch.zeros(1), torch.ones(1))
        (tensor([0.]), tensor([4.]))
    """

    means: Tensor
    precision: Tensor
    log_weights: Tensor

    def __call__(self, a: Tensor, b: Tensor) -> Pair:
        """Towards the mean of the components, weighted by their shares."""
        squared = (a[:, None] - self.means[:, 0]) ** 2 + (b[:, None] - self.means[:, 1]) ** 2
        shares = (self.log_weights - 0.5 * self.precision * squared).softmax(-1)
        towards = shares @ self.means
        return self.precision * (a - towards[:, 0]), self.precision * (b - towards[:, 1])

    def fused(self) -> tuple[Any, int, Tensor]:
        """Packed are (p, μ11, μ12, log w1, μ21, …)."""
        from ebmlab.kernels import chain_triton

        each = torch.cat([self.means, self.log_weights[:, None]], dim=1)
        packed = torch.cat([self.precision.reshape(1), each.flatten()])
        return chain_triton.mixture, len(self.means), packed


def langevin_chain(
    slope: Slope,
    y: Tensor,
    seed: Tensor,
    *,
    steps: int,
    step_size: float,
    temperature: float = 1.0,
    first: int = 0,
) -> Tensor:
    """Many steps y ← y - ε ∇E(y) + √(2εT) ξ at once: 8 bytes per coordinate for all of them.

    On float32 CUDA tensors one Triton kernel, anywhere else plain torch with the same random
    numbers. Chain i takes its normals of steps 2p and 2p + 1 from counter 2³² p + i, whatever the
    number of chains. Chains that diverge end in NaN; nothing is checked on the way.

    Args:
        slope: ∇E, in y's type and on its device.
        y: where the chains start, (chains, 2).
        seed: a 0-d int64 tensor on y's device.
        steps: how many, >= 1.
        step_size: ε.
        temperature: T.
        first: steps taken with this seed before, an even number; to go on from there.

    Raises:
        ShapeError, DtypeError, DeviceError: y is not (chains, 2), or the seed does not fit.
        ConfigurationError: steps < 1, or first is negative or odd.

    Example:
        >>> slope = WellSlope(torch.tensor(2.0))
        >>> start, cold = torch.tensor([[0.5, 1.0]]), {"step_size": 0.05, "temperature": 0.0}
        >>> langevin_chain(slope, start, torch.tensor(7), steps=200, **cold).round(decimals=3)
        tensor([[1., 0.]])

    Source: Parisi 1981.
    """
    if y.ndim != 2 or y.shape[1] != 2:
        raise ShapeError(f"y has shape {tuple(y.shape)}; chains of the plane are (chains, 2)")
    require_stream(seed, y)
    require_counts(steps=steps)
    if first < 0 or first % 2:
        raise ConfigurationError(f"first is {first}; it must be even and not negative")
    size = (2 * step_size * temperature) ** 0.5
    if runs_fused(y):
        from ebmlab.kernels import chain_triton

        return chain_triton.chain(slope.fused(), y, seed, steps, step_size, size, first)
    a, b = y.unbind(1)
    index = torch.arange(len(y), device=y.device)
    numbers: list[Tensor] = []
    for step in range(steps):
        if not numbers:
            pair = (first + step) // 2
            numbers = [part.to(y.dtype) for part in randn4x(seed, (pair << 32) + index)]
        (ga, gb), push_a, push_b = slope(a, b), numbers.pop(0), numbers.pop(0)
        a, b = a - step_size * ga + size * push_a, b - step_size * gb + size * push_b
    return torch.stack([a, b], dim=1)
