"""Small random moves of data, and the way back: what energy discrepancy compares y with.

A perturbation is a Markov kernel q(y' | y) forward, and one back, r(y | y') ∝ q(y' | y) as a
function of y. Write your own as a `Perturbation`; where q(y' | y) = q(y | y'), as for all here,
forward and back are one kernel, and a `Symmetric` says it once. Where no way back is asked for,
any function (y, rng) -> y will do: a `Corruption`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_positive, require_shares
from ebmlab._precise import precise
from ebmlab._rows import rows
from ebmlab.energies import Density
from ebmlab.errors import ShapeError
from ebmlab.networks import Generator
from ebmlab.samplers import Categorical
from ebmlab.samplers._steps.start import noise_like, uniform_like
from ebmlab.samplers.discrete import BINARY, StateSpace

__all__ = [
    "Between",
    "Corruption",
    "Cyclic",
    "Flips",
    "Gaussian",
    "Heat",
    "Neighbors",
    "Ordinal",
    "Perturbation",
    "Symmetric",
    "Uniform",
]

Corruption = Callable[[Tensor, torch.Generator], Tensor]


class Perturbation(ABC):
    """A Markov kernel q(y' | y), and one back, r(y | y') = q(y' | y) / Σ_y q(y' | y).

    Each row of (rows, *event) moves by itself, and comes back in its own type.

    Example:
        >>> class Rounded(Perturbation):
        ...     '''To the whole number below, and back to any point of its interval.'''
        ...     def forward(self, y, rng):
        ...         return y.floor()
        ...     def back(self, y, rng):
        ...         return y + torch.rand(y.shape, generator=rng)
        >>> Rounded().forward(torch.tensor([[1.7]]), torch.Generator())
        tensor([[1.]])
    """

    @abstractmethod
    def forward(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """A draw y' of q(y' | y) for each row."""

    @final
    def __call__(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """`forward`: a perturbation is a `Corruption` too."""
        return self.forward(y, rng)

    @abstractmethod
    def back(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """A draw of r(y | y') for each row y', which `forward` made."""


class Symmetric(Perturbation):
    """A perturbation that is as likely forward as back; a subclass writes `move`."""

    @abstractmethod
    def move(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """A draw of q(y' | y) = q(y | y') for each row."""

    @final
    def forward(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """A move."""
        return self.move(y, rng)

    @final
    def back(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """A move."""
        return self.move(y, rng)


@dataclass(frozen=True)
class Gaussian(Symmetric):
    """y + √t ξ with ξ ~ N(0, 1): heat that has spread for a time t / 2.

    Args:
        time: t > 0, a variance: in the units of y, squared.

    Source: Schröder, Ou, Lim, Li, Vollmer, Duncan 2023, arXiv:2307.06431.
    """

    time: float

    def __post_init__(self) -> None:
        require_positive("time", self.time)

    def move(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """y + √t ξ."""
        exact = precise(y)
        return (exact + self.time**0.5 * noise_like(exact, rng)).to(y.dtype)


@dataclass(frozen=True)
class Flips(Symmetric):
    """Every site of a y in {0, 1} flips with probability `rate`, by itself.

    Args:
        rate: in [0, ½]; ½ forgets y, and then energy discrepancy is maximum likelihood.

    Example:
        >>> y = torch.zeros(2, 10_000)
        >>> Flips(0.25).move(y, torch.Generator().manual_seed(0)).mean()
        tensor(0.2455)

    Source: Schröder, Ou, Lim, Li, Vollmer, Duncan 2023, arXiv:2307.06431 (Bernoulli).
    """

    rate: float

    def __post_init__(self) -> None:
        require_shares(rate=self.rate)

    def move(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """|y - 1[u < rate]|."""
        BINARY.require(y)
        # Uniform numbers of half precision are too coarse for small rates.
        return (y - (uniform_like(precise(y), rng) < self.rate).to(y.dtype)).abs()


@dataclass(frozen=True)
class Neighbors(Symmetric):
    """One site, any with equal chances, in any other of its states: the next points of a grid.

    Args:
        space: of y, `Binary()` or `Categorical()`.

    Example:
        >>> Neighbors().move(torch.zeros(1, 4), torch.Generator().manual_seed(0)).sum()
        tensor(1.)

    Source: Schröder, Ou, Lim, Li, Vollmer, Duncan 2023, arXiv:2307.06431 (grid).
    """

    space: StateSpace = BINARY

    def move(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """One change of those that the space allows."""
        self.space.require(y)
        allowed = self.space.gains(y, torch.zeros_like(y)).isfinite()
        noise = uniform_like(precise(y), rng).masked_fill(~allowed, -1.0)
        first = noise.flatten(1).argmax(1, keepdim=True)
        chosen = torch.zeros_like(allowed.flatten(1)).scatter(1, first, True)
        return self.space.change(y, chosen.view_as(y))[0]


@dataclass(frozen=True)
class Heat(Symmetric):
    """Every site of a one-hot y jumps by itself for a time t: p_t = exp(t Q).

    A subclass gives the rates Q, a symmetric matrix whose rows sum to 0.

    Args:
        time: t > 0; a state is left at the rate -Q_ss.

    Source: Schröder, Ou, Li, Duncan 2024, arXiv:2412.01019.
    """

    time: float

    def __post_init__(self) -> None:
        require_positive("time", self.time)

    @abstractmethod
    def rates(self, k: int) -> Tensor:
        """Q (k, k) of k states, in float64."""

    @final
    def law(self, k: int) -> Tensor:
        """The probabilities exp(t Q) of jumps (from, to), (k, k) in float64."""
        return torch.linalg.matrix_exp(self.time * self.rates(k)).clamp(min=0)

    @final
    def move(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """A draw of exp(t Q) at every site."""
        space, exact = Categorical(), precise(y)
        space.require(y)
        logits = exact @ self.law(y.shape[-1]).log().to(exact)
        return space.choose(logits, space.draw(exact, rng)).to(y.dtype)


class Uniform(Heat):
    """From a state to any other at the rate 1 / k: it is kept with 1/k + (1 - 1/k) exp(-t).

    Example:
        >>> Uniform(0.5).law(4)[0]
        tensor([0.7049, 0.0984, 0.0984, 0.0984], dtype=torch.float64)
    """

    def rates(self, k: int) -> Tensor:
        """1 / k everywhere, less 1 of the state itself."""
        return torch.full((k, k), 1 / k, dtype=torch.float64) - torch.eye(k, dtype=torch.float64)


class Cyclic(Heat):
    """To each of the two next states of a ring at the rate 1: hours, angles.

    Example:
        >>> Cyclic(1.0).rates(4)[0]
        tensor([-2.,  1.,  0.,  1.], dtype=torch.float64)
    """

    def rates(self, k: int) -> Tensor:
        """The Laplacian of a ring."""
        ring = torch.eye(k, dtype=torch.float64)
        return ring.roll(1, 1) + ring.roll(-1, 1) - 2 * ring


class Ordinal(Heat):
    """To each of the next states of a row at the rate 1, which ends at both its ends: ratings.

    Example:
        >>> Ordinal(1.0).rates(3)[0]
        tensor([-1.,  1.,  0.], dtype=torch.float64)
    """

    def rates(self, k: int) -> Tensor:
        """The Laplacian of a path."""
        step = functional.pad(torch.eye(k - 1, dtype=torch.float64), (1, 0, 0, 1))
        return step + step.T - (step + step.T).sum(1).diag()


@dataclass(frozen=True, eq=False)
class Between:
    """y + u (y' - y), y' a draw of a density and u ~ U(0, 1): a point on the way to noise.

    Args:
        density: of points like y, or a generator of them, which gets no gradient.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> between = Between(Gaussian(torch.ones(2), torch.eye(2)))
        >>> between(torch.zeros(3, 2), torch.Generator()).shape
        torch.Size([3, 2])

    Source: Gulrajani et al. 2017, arXiv:1704.00028.
    """

    density: Density | Generator

    def __call__(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """Points on the way."""
        draws = self.density.sample(len(y), rng).to(y)
        if draws.shape != y.shape:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but the density draws {tuple(draws.shape)}"
            )
        share = torch.rand(len(y), generator=rng, dtype=y.dtype, device=y.device)
        return y + rows(share, y) * (draws - y)
