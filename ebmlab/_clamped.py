"""What is left of an energy where some of x, y and z are known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmlab.types import Tree

if TYPE_CHECKING:
    from ebmlab.energy import Energy

__all__ = ["Clamped"]


@dataclass(frozen=True, eq=False)
class Clamped:
    """The rest of an energy as a function: of y, or of z where y is known."""

    energy: "Energy"
    x: Tree
    y: Tree
    z: Tree
    replay: Callable[[], torch.Generator] | None

    def __call__(self, free: Tensor) -> Tensor:
        rng = None if self.replay is None else self.replay()
        if self.y is None:
            return self.energy(self.x, free, self.z, rng=rng)
        return self.energy(self.x, self.y, free, rng=rng)

    def value_and_grad(self, free: Tensor) -> tuple[Tensor, Tensor]:
        """Energies and slopes in y, by the energy's own way."""
        rng = None if self.replay is None else self.replay()
        return self.energy.value_and_grad(self.x, free, self.z, rng=rng)
