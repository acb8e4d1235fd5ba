"""Planning by trying everything."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError
from ebmlab.prediction._planners.planner import Course, Planner
from ebmlab.types import Rng

__all__ = ["Exhaustive"]


@dataclass(frozen=True, eq=False)
class Exhaustive(Planner):
    """Try all K^T sequences of T values of z: the exact plan of lowest energy, the first of ties.

    Args:
        most: how many sequences may be tried; the energy is asked for each of every start.

    Raises:
        ConfigurationError: z is not one of a list, or there are more sequences.

    Example:
        >>> Exhaustive(most=1000)
        Exhaustive(most=1000)
    """

    most: int = 2**17

    def __post_init__(self) -> None:
        require_counts(most=self.most)

    def search(self, course: Course, rng: Rng) -> Tensor:
        """All sequences, each start's best alone: (1, n, horizon, *event)."""
        atoms = course.listed("Exhaustive")
        k, horizon = len(atoms), course.horizon
        if k**horizon > self.most:
            raise ConfigurationError(
                f"{k} values of z at {horizon} steps make {k**horizon} sequences, more than the "
                f"{self.most} of Exhaustive(most): plan by CEM, or for fewer steps"
            )
        places = k ** torch.arange(horizon - 1, -1, -1, device=atoms.device)
        numbers = torch.arange(k**horizon, device=atoms.device)
        every = atoms[numbers[:, None] // places % k]
        spread = every[:, None].expand(-1, course.n, *every.shape[1:])
        return every[course.costs(spread).argmin(0)][None]
