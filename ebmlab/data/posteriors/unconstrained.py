"""`Unconstrained`: minus a log posterior in coordinates that may be any real numbers."""

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ebmlab._checks import require_one_kind, require_tensor
from ebmlab._slopes import require_floating
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.types import Rng, Tree

__all__ = ["Unconstrained", "half_cauchy", "half_cauchy_slope", "with_log", "without_log"]


class Unconstrained(Energy):
    """E(y) = -log p(θ(y), data) - log |det ∂θ/∂y|, up to a constant, with its gradient by hand.

    Standard deviations and lengths are positive; their logarithms are free, and the second term,
    the log-Jacobian, makes exp(-E) the posterior's density in them. A subclass writes `potential`,
    `slope`, `constrain` and `unconstrain`, and sets `names`.

    Attributes:
        names: of the constrained parameters θ, one per coordinate.

    Raises:
        ShapeError: y is not (*batch, d).
    """

    takes_x = False
    names: tuple[str, ...]

    @property
    def dim(self) -> int:
        """The number d of parameters, constrained or not."""
        return len(self.names)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """E(y), shape (*batch)."""
        return self.potential(self._vectors(y))

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """E and ∂E/∂y of y (*batch, d), both detached."""
        require_floating(y)
        if not torch.compiler.is_compiling():
            require_one_kind(self, {"y": y})
        return self.slope(self._vectors(y).detach())

    def _vectors(self, y: Tree) -> Tensor:
        y = require_tensor("y", y)
        if y.ndim < 1 or y.shape[-1] != self.dim:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but {type(self).__name__} is an energy of "
                f"(*batch, {self.dim}): {', '.join(self.names)}"
            )
        return y

    @abstractmethod
    def potential(self, y: Tensor) -> Tensor:
        """E(y) of y (*batch, d)."""

    @abstractmethod
    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E(y) and ∂E/∂y."""

    @abstractmethod
    def constrain(self, y: Tensor) -> Tensor:
        """θ (*batch, d) in the order of `names`."""

    @abstractmethod
    def unconstrain(self, parameters: Tensor) -> Tensor:
        """The y (*batch, d) of θ (*batch, d)."""


def without_log(y: Tensor, start: int) -> Tensor:
    """The coordinates from `start` on are logarithms: exponentiate them."""
    return torch.cat([y[..., :start], y[..., start:].exp()], dim=-1)


def with_log(parameters: Tensor, start: int) -> Tensor:
    """The coordinates from `start` on are positive: take their logarithms."""
    return torch.cat([parameters[..., :start], parameters[..., start:].log()], dim=-1)


def half_cauchy(log_std: Tensor, scale: float) -> Tensor:
    """log(1 + s²/c²), the half-Cauchy prior's energy of a standard deviation s; 0 if c = ∞.

    The form in log s overflows nowhere.
    """
    return -logsigmoid(2 * (math.log(scale) - log_std))


def half_cauchy_slope(log_std: Tensor, scale: float) -> Tensor:
    """Its derivative in log s, 2 s² / (s² + c²)."""
    return 2 * torch.sigmoid(2 * (log_std - math.log(scale)))
