"""Metrics: the shape of the target that a kernel moves in, as a factor of its covariance."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError, ShapeError

__all__ = ["IDENTITY", "Dense", "Diagonal", "Identity", "Metric"]


class Metric(ABC):
    """M = L Lᵀ, an estimate of the target's covariance; elsewhere: preconditioner, inverse mass.

    Kernels move in whitened coordinates: momenta and noise are standard normal there, L carries
    them to y, and Lᵀ carries gradients to them. No step needs an inverse: `whiten` is for starts.
    """

    @abstractmethod
    def spread(self, v: Tensor) -> Tensor:
        """L v: from whitened coordinates to those of y, both (chains, *event)."""

    @abstractmethod
    def gather(self, grad: Tensor) -> Tensor:
        """Lᵀ g: a gradient in y as one in whitened coordinates, both (chains, *event)."""

    @abstractmethod
    def whiten(self, y: Tensor) -> Tensor:
        """L⁻¹ y: back from coordinates of y to whitened ones, both (chains, *event)."""


@dataclass(frozen=True)
class Identity(Metric):
    """M = 1: every coordinate has the unit scale.

    Example:
        >>> import torch
        >>> Identity().spread(torch.ones(1, 2))
        tensor([[1., 1.]])
    """

    def spread(self, v: Tensor) -> Tensor:
        """V itself."""
        return v

    def gather(self, grad: Tensor) -> Tensor:
        """The gradient itself."""
        return grad

    def whiten(self, y: Tensor) -> Tensor:
        """Y itself."""
        return y


IDENTITY = Identity()


@dataclass(frozen=True, eq=False)
class Diagonal(Metric):
    """M = diag(s²): each coordinate has its own scale.

    Args:
        std: s (*event), positive; the standard deviations.

    Raises:
        ConfigurationError: a scale is not finite and positive.

    Example:
        >>> import torch
        >>> Diagonal(torch.tensor([1.0, 10.0])).spread(torch.ones(1, 2))
        tensor([[ 1., 10.]])
    """

    std: Tensor

    def __post_init__(self) -> None:
        if not bool((self.std.isfinite() & (self.std > 0)).all()):
            raise ConfigurationError("std of Diagonal must be finite and positive everywhere")

    def spread(self, v: Tensor) -> Tensor:
        """S v."""
        return self.std * v

    def gather(self, grad: Tensor) -> Tensor:
        """S g."""
        return self.std * grad

    def whiten(self, y: Tensor) -> Tensor:
        """S⁻¹ y."""
        return y / self.std


@dataclass(frozen=True, eq=False)
class Dense(Metric):
    """M = L Lᵀ over the flattened event: scales and correlations.

    Args:
        factor: L (d, d), lower triangular, d the size of an event.

    Raises:
        ShapeError: the factor is not square.
        ConfigurationError: it is not finite with a positive diagonal.

    Example:
        >>> import torch
        >>> Dense(torch.tensor([[2.0, 0.0], [1.0, 1.0]])).spread(torch.ones(1, 2))
        tensor([[2., 2.]])
    """

    factor: Tensor

    def __post_init__(self) -> None:
        if self.factor.ndim != 2 or self.factor.shape[0] != self.factor.shape[1]:
            raise ShapeError(f"factor has shape {tuple(self.factor.shape)}; it must be (d, d)")
        if not bool(self.factor.isfinite().all() & (self.factor.diagonal() > 0).all()):
            raise ConfigurationError("factor of Dense must be finite, with a positive diagonal")

    def spread(self, v: Tensor) -> Tensor:
        """L v."""
        return (v.reshape(len(v), -1) @ self.factor.mT).reshape(v.shape)

    def gather(self, grad: Tensor) -> Tensor:
        """Lᵀ g."""
        return (grad.reshape(len(grad), -1) @ self.factor).reshape(grad.shape)

    def whiten(self, y: Tensor) -> Tensor:
        """L⁻¹ y, by substitution."""
        flat = y.reshape(len(y), -1)
        return torch.linalg.solve_triangular(self.factor, flat.mT, upper=False).mT.reshape(y.shape)
