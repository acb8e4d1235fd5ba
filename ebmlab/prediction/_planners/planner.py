"""What a planner is: a search for the sequence of z of lowest energy, for many starts at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError
from ebmlab.inference.spaces import Smooth
from ebmlab.types import Rng

__all__ = ["Course", "Planner"]

ROWS = 2**16


@dataclass(frozen=True, eq=False)
class Course:
    """What is to be planned: n sequences of z, `horizon` long, and what each would cost.

    Attributes:
        energy: (k, n, horizon, *event) -> (k, n).
        n: how many starts.
        horizon: how many steps.
        atoms: the values of each z (K, *event) where they are listed; else None.
        space: where each z lives otherwise.
        like: a tensor of the dtype and on the device of z.
    """

    energy: Callable[[Tensor], Tensor]
    n: int
    horizon: int
    atoms: Tensor | None
    space: Smooth | None
    like: Tensor

    def costs(self, z: Tensor) -> Tensor:
        """Energies (k, n) of sequences (k, n, horizon, *event), some thousand rows at a time."""
        return torch.cat([self.energy(part) for part in z.split(max(1, ROWS // self.n))])

    def listed(self, who: str) -> Tensor:
        """The values of each z (K, *event), or raise where they are not listed."""
        if self.atoms is None:
            raise ConfigurationError(
                f"{who} tries values of z that are listed, but z lives in {self.space}: plan by "
                "CEM, MPPI or Gradient"
            )
        return self.atoms

    def smooth(self, who: str) -> Smooth:
        """Where each z lives, or raise where it is one of a list."""
        if self.space is None:
            raise ConfigurationError(
                f"{who} moves z along a space, but z is one of a list: plan by Exhaustive, CEM "
                "or MPPI, or pass prior=…, such as inference.Vector(dim)"
            )
        return self.space


@dataclass(frozen=True, eq=False)
class Planner(ABC):
    """A way to search. A subclass is a frozen dataclass and writes `search`."""

    @abstractmethod
    def search(self, course: Course, rng: Rng) -> Tensor:
        """Sequences of z (k, n, horizon, *event), the best of which are taken."""

    @final
    def __call__(self, course: Course, rng: Rng) -> tuple[Tensor, Tensor]:
        """For each start the best z (n, horizon, *event) of those found, and its energy (n,)."""
        z = self.search(course, rng)
        lowest, best = course.costs(z).min(0)
        return z[best, torch.arange(course.n, device=z.device)], lowest
