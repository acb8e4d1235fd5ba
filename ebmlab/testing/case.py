"""`Case`: an energy and the data it is judged on; copied, cut and cast, never changed."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from ebmlab._checks import Ndim, leading_shape, leaves
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.testing.purity import again, generator
from ebmlab.types import Rng, Tree

__all__ = ["Case", "Change", "cast", "over_leaves"]

Change = Callable[[Tensor], Tensor]


def over_leaves(change: Change, tree: Tree, ndim: Ndim) -> Tree:
    """The tree with every tensor changed that has a batch (`ndim` None marks those without)."""
    if tree is None:
        return None
    if isinstance(tree, Tensor):
        return change(tree)
    each = ndim if isinstance(ndim, tuple) else (ndim,) * len(tree)
    return tuple(leaf if n is None else change(leaf) for leaf, n in zip(tree, each, strict=True))


def cast(tree: Tree, dtype: torch.dtype) -> Tree:
    """A copy of the tree, its floating-point tensors cast, with no graph."""

    def copied(leaf: Tensor) -> Tensor:
        leaf = leaf.detach().clone()
        return leaf.to(dtype) if leaf.is_floating_point() else leaf

    return over_leaves(copied, tree, 0)


@dataclass(frozen=True, eq=False)
class Case:
    """An energy at n data (x_i, y_i, z_i), n >= 2, and where its random numbers start."""

    energy: Energy
    x: Tree
    y: Tree
    z: Tree
    rng: torch.Generator

    @classmethod
    def of(cls, energy: Energy, x: Tree, y: Tree, z: Tree, rng: Rng) -> Self:
        """The case, after a look at the batch."""
        trees = {"x": (x, energy.x_ndim), "y": (y, energy.y_ndim), "z": (z, energy.z_ndim)}
        given = {name: each for name, each in trees.items() if each[0] is not None}
        shapes = {name: tuple(leading_shape(name, *each)) for name, each in given.items()}
        batch = next(iter(shapes.values()), ())
        if len(set(shapes.values())) != 1 or len(batch) != 1 or batch[0] < 2:
            raise ShapeError(f"the laws look at one batch (n,), n >= 2, but have {shapes}")
        return cls(energy, x, y, z, generator(rng, leaves(y)[0]))

    def __len__(self) -> int:
        return int(leading_shape("y", self.y, self.energy.y_ndim)[0])

    def to(self, dtype: torch.dtype) -> Self:
        """A deep copy in another precision, with no gradients on its parameters."""
        return self.holding(copy.deepcopy(self.energy), dtype)

    def holding(self, energy: Energy, dtype: torch.dtype) -> Self:
        """Copies of the data for another energy, all cast (the energy in place)."""
        energy.to(dtype).zero_grad(set_to_none=True)
        x, y, z = (cast(tree, dtype) for tree in (self.x, self.y, self.z))
        return replace(self, energy=energy, x=x, y=y, z=z)

    def at(self, x: Change, y: Change | None = None, z: Change | None = None) -> Self:
        """Other data of the same energy: a change of every tensor; y and z like x if left out."""
        here = over_leaves(x, self.x, self.energy.x_ndim)
        there = over_leaves(y or x, self.y, self.energy.y_ndim)
        return replace(self, x=here, y=there, z=over_leaves(z or x, self.z, 0))

    def value(self) -> Tensor:
        """E(x, y, z), from the same random numbers at each call."""
        return self.energy(self.x, self.y, self.z, rng=again(self.rng))
