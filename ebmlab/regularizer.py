"""What judges a population of codes, and weighted sums of such penalties."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor, nn

from ebmlab._checks import require_non_negative
from ebmlab._shown import Shown

__all__ = ["Penalties", "Regularizer"]


class Regularizer(ABC):
    """A functional of a population of codes (batch, dim), batch >= 2, not an energy of any one.

    Regularizers add and scale: VICReg() + 0.5 * Within(VICReg()).
    """

    @abstractmethod
    def __call__(self, hx: Tensor, hy: Tensor, *, groups: Tensor | None = None) -> Tensor:
        """A scalar from two populations (batch, dim).

        Row i of both is of one thing, and so are rows of one group: groups (batch,) are whole
        numbers from 0, less than batch; None where every row is another thing.
        """

    def weighted(self) -> list[tuple[float, "Regularizer"]]:
        """The terms that it is the sum of, each with its weight."""
        return [(1.0, self)]

    @final
    def __add__(self, other: "Regularizer") -> "Penalties":
        """The sum of two penalties."""
        return Penalties([*self.weighted(), *other.weighted()])

    @final
    def __mul__(self, weight: float) -> "Penalties":
        """Weigh a penalty."""
        require_non_negative("weight", weight)
        return Penalties([(weight * own, part) for own, part in self.weighted()])

    __rmul__ = __mul__


class Penalties(Regularizer, Shown):
    """w1 R1 + w2 R2 + …, as `+` and `*` make it; `print` shows the parts."""

    shows = ("weights", "parts")

    def __init__(self, terms: Iterable[tuple[float, Regularizer]]) -> None:
        super().__init__()
        terms = list(terms)
        self.weights = [weight for weight, _ in terms]
        self.parts = [part for _, part in terms]
        self.held = nn.ModuleList(part for part in self.parts if isinstance(part, nn.Module))

    def weighted(self) -> list[tuple[float, Regularizer]]:
        """The parts with their weights."""
        return list(zip(self.weights, self.parts, strict=True))

    def __call__(self, hx: Tensor, hy: Tensor, *, groups: Tensor | None = None) -> Tensor:
        """The weighted sum of the parts' values, a scalar."""
        values = [weight * part(hx, hy, groups=groups) for weight, part in self.weighted()]
        return torch.stack(values).sum()
