"""Discrete models small enough to list every state, and a judge of their law."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from problems import F64, RATE, generator, randn
from scipy import stats
from torch import Tensor
from torch.nn import functional

from ebmlab.energies import Ising, Potts
from ebmlab.energy import Energy
from ebmlab.samplers import Categorical, Coloring
from ebmlab.samplers.discrete import BINARY, StateSpace

EXPECTED = 25.0


def binary_states(*event: int) -> Tensor:
    """All y in {0, 1} of an event, (2^n, *event)."""
    n = int(np.prod(event))
    codes = torch.arange(2**n)[:, None] >> torch.arange(n)
    return (codes % 2).to(F64).reshape(-1, *event)


def one_hot_states(*event: int) -> Tensor:
    """All one-hot y of an event (*sites, k), (k^n, *event)."""
    *sites, k = event
    labels = torch.cartesian_prod(*[torch.arange(k)] * int(np.prod(sites)))
    return functional.one_hot(labels, k).to(F64).reshape(-1, *event)


def chi_square(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """The p-value of counts; categories with few expected are put together, rarest first."""
    if counts[probabilities == 0].any():
        return 0.0
    order = np.argsort(probabilities)
    expected = counts.sum() * probabilities[order]
    group = np.minimum(np.cumsum(expected) // EXPECTED, np.cumsum(expected)[-1] // EXPECTED - 1)
    merged = (
        np.bincount(group.astype(int), expected),
        np.bincount(group.astype(int), counts[order]),
    )
    kept = merged[0] > 0
    statistic = ((merged[1] - merged[0])[kept] ** 2 / merged[0][kept]).sum()
    return float(stats.chi2.sf(statistic, kept.sum() - 1))


@dataclass(frozen=True)
class Listed:
    """An energy whose states are all listed: their law is exact."""

    energy: Energy
    states: Tensor
    space: StateSpace
    colors: tuple[Tensor, ...]

    @cached_property
    def law(self) -> Tensor:
        """The probability of each state."""
        return (-self.energy(None, self.states).detach()).softmax(0)

    @property
    def coloring(self) -> Coloring:
        return Coloring(self.colors, self.space)

    def draws(self, n: int, seed: int) -> Tensor:
        """Exact draws."""
        picked = torch.multinomial(self.law, n, replacement=True, generator=generator(seed))
        return self.states[picked]

    @cached_property
    def _keys(self) -> tuple[Tensor, Tensor, Tensor]:
        """A random projection that tells the states apart: its values in order, and the order."""
        states = self.states.reshape(len(self.states), -1)
        along = randn(states.shape[1], seed=99)
        return along, *(states @ along).sort()

    def index(self, y: Tensor) -> Tensor:
        """Which of the states each row is."""
        along, keys, order = self._keys
        found = torch.searchsorted(keys, y.reshape(len(y), -1) @ along - 1e-9)
        assert torch.equal(self.states[order[found]], y)
        return order[found]

    def counts(self, y: Tensor) -> np.ndarray:
        """How many rows are in each state."""
        return torch.bincount(self.index(y), minlength=len(self.states)).double().numpy()

    @cached_property
    def _partitions(self) -> list[np.ndarray]:
        """The states in order of energy, by magnetization, and the likely ones apart."""
        law = self.law.numpy()
        order = np.argsort(self.energy(None, self.states).detach().numpy())
        energy = np.zeros(len(law), dtype=int)
        energy[order] = np.minimum(30 * np.cumsum(law[order]), 29).astype(int)
        state_of_site = np.arange(self.states.shape[-1]) if self.space != BINARY else 1.0
        magnet = (self.states.numpy() * state_of_site).reshape(len(law), -1).sum(1).astype(int)
        return [energy, magnet, np.minimum(np.argsort(np.argsort(-law)), 60)]

    def accepts(self, y: Tensor) -> bool:
        """Whether rows may come from the law: energies, magnetizations, and states themselves."""
        counts, law = self.counts(y), self.law.numpy()
        return all(
            chi_square(np.bincount(part, counts), np.bincount(part, law)) > RATE / 3
            for part in self._partitions
        )


@cache
def ising() -> Listed:
    """4 x 4, periodic, with a field of its own at every site."""
    energy = Ising((4, 4), 0.3, 0.3 * randn(4, 4, seed=11))
    return Listed(energy, binary_states(4, 4), BINARY, energy.colors)


@cache
def potts() -> Listed:
    """3 x 3 of three states, open, with a field."""
    energy = Potts((3, 3), 3, 0.6, 0.4 * randn(3, 3, 3, seed=12), periodic=False)
    return Listed(energy, one_hot_states(3, 3, 3), Categorical(), energy.colors)


LISTED: dict[str, Callable[[], Listed]] = {"ising": ising, "potts": potts}


def rough(y: Tensor) -> Tensor:
    """An energy of three sites or more whose gradients are no differences."""
    flat = y.flatten(1)
    weights = 1 + torch.arange(flat.shape[1], dtype=flat.dtype) / 3
    square = flat.cumsum(1).square() @ (weights - 1.2)
    return 0.5 * (flat @ weights).sin() + 0.2 * square + flat.pow(3) @ (0.7 - weights / 2)
