"""What `train` knows of a recipe that shapes an energy of points: its arguments for some data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmlab.energies import MLP, Gaussian
from ebmlab.energy import Energy
from ebmlab.methods.cards import Recipe
from ebmlab.protocols import Method
from ebmlab.types import Potential

__all__ = ["DensityPreset", "Points", "base", "held"]


@dataclass(frozen=True, eq=False)
class Points:
    """The data and sizes of one run: all that a recipe's arguments may follow from.

    Args:
        points: to train on, (n, dim).
        batch_size, steps: points in a step, steps of the run.
        rng: for what the recipe draws at the start.
    """

    points: Tensor
    batch_size: int
    steps: int
    rng: torch.Generator

    @property
    def dim(self) -> int:
        """The length of a point."""
        return self.points.shape[-1]


def base(points: Points) -> Gaussian:
    """The Gaussian of the data, no direction narrower than a hundredth of the widest."""
    values, ways = torch.linalg.eigh(points.points.T.cov())
    spread = ways * values.clamp(min=1e-4 * values[-1]) @ ways.T
    return Gaussian(points.points.mean(0), (spread + spread.T) / 2)


def held(points: Points) -> Energy:
    """A network and the Gaussian of the data, which bounds the energy far away."""
    return MLP(points.dim) + base(points)


def _network(points: Points) -> Energy:
    return MLP(points.dim)


def _itself(energy: Energy) -> Potential:
    return energy.given()


@dataclass(frozen=True)
class DensityPreset:
    """A recipe (energy, …) -> Method as `train` offers it for points.

    Args:
        recipe: the function of `ebmlab.methods`; its name is the method's.
        sizes: the recipe's arguments beside the energy; those left out keep their defaults.
        energy: the network that is shaped.
        density: the potential of y whose exp(-u) / Z is the model, of the method's energy.
        lr: the first step size of AdamW, which falls to 0 along a cosine.
        most: dimensions of a point at most, where the recipe takes few only; None takes any.
    """

    recipe: Recipe
    sizes: Callable[[Points], dict[str, Any]] = lambda points: {}
    energy: Callable[[Points], Energy] = _network
    density: Callable[[Energy], Potential] = _itself
    lr: float = 1e-3
    most: int | None = None

    def build(self, points: Points) -> Method:
        """The method for these data, with weights from torch's generator."""
        return self.recipe(self.energy(points), **self.sizes(points))
