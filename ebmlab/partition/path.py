"""`Path`: the straight line from one potential to another."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._rows import rows
from ebmlab.types import Potential

__all__ = ["Path"]


@dataclass(frozen=True, eq=False)
class Path:
    """u_t = (1 - t) u₀ + t u₁: the geometric path between two laws, exp(-u₀) and exp(-u₁).

    Args:
        start: u₀.
        end: u₁.

    Example:
        >>> path = Path(Potential(lambda y: y.sum(-1)), Potential(lambda y: 3 * y.sum(-1)))
        >>> path.at(0.25)(torch.ones(1, 2)), path.slope(torch.ones(1, 2))
        (tensor([3.]), tensor([4.]))

    Source: Neal 2001, arXiv:physics/9803008.
    """

    start: Potential
    end: Potential

    def at(self, t: float | Tensor) -> Potential:
        """The potential u_t; t in [0, 1] is a number, or one for each chain, (chains,).

        An end that has no weight is not heard: infinities there do not become NaN.
        """

        def value(y: Tensor) -> Tensor:
            return _mixed(t, self.start(y), self.end(y))

        def slope(y: Tensor) -> tuple[Tensor, Tensor]:
            first, second = self.start.value_and_grad(y), self.end.value_and_grad(y)
            return _mixed(t, first[0], second[0]), _mixed(t, first[1], second[1])

        return Potential(value, slope)

    def slope(self, y: Tensor) -> Tensor:
        """∂u_t / ∂t = u₁(y) - u₀(y), (chains,): what annealed importance sampling adds up."""
        return self.end(y) - self.start(y)


def _mixed(t: float | Tensor, first: Tensor, second: Tensor) -> Tensor:
    t = torch.as_tensor(t, dtype=first.dtype, device=first.device)
    t = rows(t, first)
    # 0 · ∞ is NaN where the end that has no weight is infinite.
    first = torch.where(t == 1, 0.0, (1 - t) * first)
    return first + torch.where(t == 0, 0.0, t * second)
