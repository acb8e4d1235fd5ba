"""What is left of an energy where some of x, y and z are known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmlab._kinds import REFUSALS, retell
from ebmlab.errors import ConfigurationError
from ebmlab.types import Tree

if TYPE_CHECKING:
    from ebmlab.energy import Energy

__all__ = ["Clamped", "Parts", "require_free"]

# What is known of z; in a tuple None marks the part that is free.
Parts = Tensor | tuple[Tensor | None, ...] | None


@dataclass(frozen=True, eq=False)
class Clamped:
    """The rest of an energy as a function: of y, or where y is known of z or of one part of it."""

    energy: "Energy"
    x: Tree
    y: Tree
    z: Parts
    replay: Callable[[], torch.Generator] | None

    def __call__(self, free: Tensor) -> Tensor:
        rng = None if self.replay is None else self.replay()
        if self.y is None:
            return self.energy(self.x, free, _filled(self.z, free), rng=rng)
        z = free if self.z is None else _filled(self.z, free)
        return self.energy(self.x, self.y, z, rng=rng)

    def value_and_grad(self, free: Tensor) -> tuple[Tensor, Tensor]:
        """Energies and slopes in y, by the energy's own way."""
        rng = None if self.replay is None else self.replay()
        energy, x, z = self.energy, self.x, _filled(self.z, free)
        if torch.compiler.is_compiling():
            return energy.value_and_grad(x, free, z, rng=rng)
        try:
            return energy.value_and_grad(x, free, z, rng=rng)
        except REFUSALS as error:
            retell(error, type(energy).__name__, x=x, y=free, z=z)


def require_free(energy: "Energy", y: Tree, z: Parts) -> None:
    """Raise unless exactly one of y, z, and the parts of z is left."""
    who, kinds = f"{type(energy).__name__}.given", energy.z_ndim
    open_parts = [part is None for part in z].count(True) if isinstance(z, tuple) else 0
    if y is None:
        if open_parts:
            raise ConfigurationError(f"{who}: y and a part of z are both free; clamp one of them")
    elif not isinstance(kinds, tuple):
        if z is not None or not energy.takes_z:
            raise ConfigurationError(f"{who} was handed everything: leave y, or a latent z, free")
    elif not isinstance(z, tuple) or len(z) != len(kinds) or open_parts != 1:
        raise ConfigurationError(
            f"{who}: z has {len(kinds)} parts; clamp all but one, as in "
            f"z=({', '.join(['…'] * (len(kinds) - 1) + ['None'])})"
        )


def _filled(z: Parts, free: Tensor) -> Tree:
    """z with what is free where it is left open."""
    if not isinstance(z, tuple):
        return z
    return tuple(free if part is None else part for part in z)
