"""Penalties on codes, each with its value and its proximal operator."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative, require_tensor
from ebmlab._held import hold
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import spaces
from ebmlab.types import Tree

__all__ = ["L1", "Box", "Group", "NonNegative", "OnSimplex", "Penalty"]


class Penalty(Energy):
    """An energy R of codes (*batch, dim) that need not be smooth, but whose prox is known.

    As the `prior` of a `Reconstruction` it is part of the energy, and `Proximal` finds it there:
    its weight stands in one place and is counted once. A constraint is +inf outside.
    """

    takes_x = False

    @abstractmethod
    def prox(self, z: Tensor, step: float | Tensor) -> Tensor:
        """The v that minimizes R(v) + ‖v - z‖² / (2 step), for each z.

        Args:
            z: (*batch, dim).
            step: >= 0, a number or (*batch, 1). At 0 it is the nearest point where R is finite.
        """

    @abstractmethod
    def value(self, z: Tensor) -> Tensor:
        """R(z), shape (*batch)."""

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        return self.value(require_tensor("y", y))


class _Weighted(Penalty):
    shows = ("weight",)
    weight: float | Tensor

    def __init__(self, weight: float | Tensor) -> None:
        super().__init__()
        require_non_negative("weight", weight)
        hold(self, "weight", weight)


class L1(_Weighted):
    """R(z) = Σ_j λ_j |z_j|; prox: each entry moves towards 0 by step · λ_j and stops there.

    Args:
        weight: λ >= 0, a number or one for each entry (dim,); a Parameter is learned.
        nonnegative: whether z >= 0 as well.

    Example:
        >>> L1(1.0).prox(torch.tensor([[-3.0, 0.5, 2.0]]), 1.0)
        tensor([[-2., 0., 1.]])

    Source: Donoho 1995 (soft thresholding); Tibshirani 1996.
    """

    def __init__(self, weight: float | Tensor, *, nonnegative: bool = False) -> None:
        super().__init__(weight)
        self.nonnegative = nonnegative

    def value(self, z: Tensor) -> Tensor:
        total = (self.weight * z.abs()).sum(-1)
        return _where((z >= 0).all(-1), total) if self.nonnegative else total

    def prox(self, z: Tensor, step: float | Tensor) -> Tensor:
        """The soft threshold at step · λ; right there the slope is 0."""
        threshold = step * self.weight
        if self.nonnegative:
            return (z - threshold).relu()
        return (z - threshold).relu() - (-z - threshold).relu()


class Group(_Weighted):
    """R(z) = λ Σ_g ‖z_g‖ over groups of neighboring entries, which vanish together.

    Args:
        weight: λ >= 0, a number or one for each group.
        size: how many entries a group has; it divides dim.

    Example:
        >>> Group(1.0, 2).prox(torch.tensor([[3.0, 4.0, 0.1, 0.1]]), 2.5)
        tensor([[1.5000, 2.0000, 0.0000, 0.0000]])

    Source: Yuan, Lin 2006.
    """

    def __init__(self, weight: float | Tensor, size: int) -> None:
        super().__init__(weight)
        require_counts(size=size)
        self.size = size

    def value(self, z: Tensor) -> Tensor:
        return (self.weight * torch.linalg.vector_norm(self._groups(z), dim=-1)).sum(-1)

    def prox(self, z: Tensor, step: float | Tensor) -> Tensor:
        """Each group shrinks towards 0 by step · λ and stops there, where the slope is 0."""
        groups, threshold = self._groups(z), step * self.weight
        length = torch.linalg.vector_norm(groups, dim=-1)
        kept = 1 - threshold / torch.where(length > 0, length, 1.0)
        return (groups * torch.where(length > threshold, kept, 0.0)[..., None]).flatten(-2)

    def _groups(self, z: Tensor) -> Tensor:
        if z.shape[-1] % self.size:
            raise ShapeError(f"z has {z.shape[-1]} entries; groups of {self.size} do not fit")
        return z.unflatten(-1, (-1, self.size))


class Box(Penalty):
    """R(z) = 0 where low <= z_j <= high for all j, +inf elsewhere; prox: the nearest such point.

    Example:
        >>> Box(-1.0, 1.0).prox(torch.tensor([[-3.0, 0.5]]), 1.0)
        tensor([[-1.0000, 0.5000]])
    """

    shows = ("low", "high")

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        if not low < high:
            raise ConfigurationError(f"the box ({low}, {high}) is empty; low must be below high")
        self.low, self.high = low, high

    def value(self, z: Tensor) -> Tensor:
        return _where(((z >= self.low) & (z <= self.high)).all(-1), z.new_zeros(z.shape[:-1]))

    def prox(self, z: Tensor, step: float | Tensor) -> Tensor:
        """Z clipped to the box; on its faces the slope is 0, which that of clamp is not always."""
        return nn.functional.hardtanh(z, self.low, self.high)


class NonNegative(Box):
    """R(z) = 0 where z >= 0, +inf elsewhere; prox: the positive part.

    Example:
        >>> NonNegative()(None, torch.tensor([[1.0, 0.0], [1.0, -1.0]]))
        tensor([0., inf])
    """

    def __init__(self) -> None:
        super().__init__(0.0, math.inf)


class OnSimplex(Penalty):
    """R(z) = 0 where z >= 0 and Σ z = 1, up to 1e-5, +inf elsewhere; prox: the nearest such point.

    Example:
        >>> OnSimplex().prox(torch.tensor([[0.5, 0.5, -3.0]]), 1.0)
        tensor([[0.5000, 0.5000, 0.0000]])

    Source: Held, Wolfe, Crowder 1974.
    """

    def value(self, z: Tensor) -> Tensor:
        return _where(spaces.Simplex(z.shape[-1]).contains(z), z.new_zeros(z.shape[:-1]))

    def prox(self, z: Tensor, step: float | Tensor) -> Tensor:
        return spaces.Simplex(z.shape[-1]).project(z)


def _where(inside: Tensor, value: Tensor) -> Tensor:
    return torch.where(inside, value, math.inf)
