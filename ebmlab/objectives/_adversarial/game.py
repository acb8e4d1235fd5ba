"""What two players play for: where the energy is pushed up, and what the generator descends."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._shown import Shown
from ebmlab.energy import Energy
from ebmlab.losses import MarginLoss
from ebmlab.networks import Generator
from ebmlab.types import Tree

__all__ = ["Game", "Play"]


class Play(NamedTuple):
    """One move: the critic E, its data, and what the generator made of z for them.

    Attributes:
        energy, x, y: the critic, and the data (b, *event).
        generator, z, fake: the proposals g(x, z), (b, *event), with their graph.
    """

    energy: Energy
    x: Tree
    y: Tensor
    generator: Generator
    z: Tensor
    fake: Tensor


class Game(Shown, ABC):
    """The rules of two players, for `Adversarial`: write your own with these two methods.

    Attributes:
        loss: the critic's, of the energies of data and of `negatives`.
    """

    loss: MarginLoss

    @abstractmethod
    def negatives(self, play: Play, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Where the critic is pushed up, like y and without a graph; and metrics."""

    @abstractmethod
    def lead(
        self, play: Play, shown: Tensor, rng: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The generator's terms, given what the critic was shown; and metrics.

        Terms are scalars whose gradient reaches the generator, and what the game itself learns,
        but no parameter of the critic: `through` evaluates a function so.
        """
