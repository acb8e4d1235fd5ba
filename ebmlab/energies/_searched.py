"""Energies that find the lowest of many z without laying out all energies."""

from abc import abstractmethod

from torch import Tensor

from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["Searched"]


class Searched(Energy):
    """An energy with a way of its own to the lowest of given z."""

    @abstractmethod
    def lowest(self, x: Tree, y: Tree, atoms: Tensor) -> Tensor:
        """Which of the atoms (k, *event) is lowest for each datum, of equal ones the first."""
