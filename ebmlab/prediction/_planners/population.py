"""Planning by populations of sequences: the cross-entropy method, and path integrals."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_positive, require_shares
from ebmlab.errors import ConfigurationError
from ebmlab.prediction._planners.laws import first_law
from ebmlab.prediction._planners.planner import Course, Planner
from ebmlab.types import Rng

__all__ = ["CEM", "MPPI"]


@dataclass(frozen=True, eq=False)
class Population(Planner):
    """Draw sequences, weigh them by their energies, fit the law to them, and again.

    A subclass says how draws are weighed, and whether the width of the law is fitted.

    Args:
        samples: sequences drawn for each start in each round.
        rounds: how often.
        std: the width of the first law where z is continuous, in the units of z, > 0; its middle
            is that of the space: 0 of vectors. Listed z all begin alike.
        keep: the share in [0, 1] of the old law in the new one.
    """

    samples: int = 256
    rounds: int = 8
    std: float = 1.0
    keep: float = 0.1
    narrow = True

    def __post_init__(self) -> None:
        require_counts(samples=self.samples, rounds=self.rounds)
        require_positive("std", self.std)
        require_shares(keep=self.keep)

    @abstractmethod
    def weights(self, energies: Tensor) -> Tensor:
        """What draws of energies (k, n) weigh; a sum of 1 for each start."""

    @final
    def search(self, course: Course, rng: Rng) -> Tensor:
        """The lowest sequence of each round, and the middle of the last law."""
        rng = require_generator(rng, type(self).__name__, course.like.device)
        law, found = first_law(course, self.std), []
        for _ in range(self.rounds):
            draws = law.draw(self.samples, rng)
            z = law.z(draws)
            energies = course.costs(z)
            found.append(z[energies.argmin(0), torch.arange(course.n, device=z.device)])
            law = law.fitted(draws, self.weights(energies), self.keep, narrow=self.narrow)
        return torch.stack([*found, law.z(law.middle())[0]])


@dataclass(frozen=True, eq=False)
class CEM(Population):
    """The cross-entropy method: fit the law of z to the sequences of lowest energy, and again.

    Mean and width of a normal law where z is continuous, the shares of the atoms where z is one of
    a list.

    Args:
        samples, rounds, std, keep: see above: 256 sequences in 8 rounds from a width of 1, of
            which a tenth stays.
        elites: how many of them are fitted, 2 … samples.

    Raises:
        ConfigurationError: rng is missing, or a number is out of its range.

    Example:
        >>> CEM(samples=64, elites=8).rounds
        8

    Source: De Boer, Kroese, Mannor, Rubinstein 2005, "A tutorial on the cross-entropy method".
    """

    elites: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts(2, elites=self.elites)
        if self.elites > self.samples:
            raise ConfigurationError(f"elites are {self.elites} of {self.samples} samples; lower")

    def weights(self, energies: Tensor) -> Tensor:
        """1 / elites for those, else 0."""
        best = energies.topk(self.elites, 0, largest=False).indices
        return torch.zeros_like(energies).scatter(0, best, 1 / self.elites)


@dataclass(frozen=True, eq=False)
class MPPI(Population):
    """Path integrals: move the law to draws weighed by exp(-E / λ), its width as it was.

    Args:
        samples, rounds, std, keep: see `CEM`.
        temperature: λ > 0, in the units of the energy.

    Raises:
        ConfigurationError: rng is missing, or a number is out of its range.

    Example:
        >>> MPPI(temperature=0.1).weights(torch.zeros(4, 1)).flatten()
        tensor([0.2500, 0.2500, 0.2500, 0.2500])

    Source: Williams et al. 2017, "Information theoretic MPC for model-based reinforcement
    learning".
    """

    temperature: float = 1.0
    narrow = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("temperature", self.temperature)

    def weights(self, energies: Tensor) -> Tensor:
        """Softmax(-E / λ) over the draws."""
        return (-energies / self.temperature).softmax(0)
