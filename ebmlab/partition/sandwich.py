"""log Z between an estimate that lies below and one that lies above, and how sure both are."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError
from ebmlab.partition.annealing import ais, reverse_ais
from ebmlab.partition.course import Between, Start, Transition
from ebmlab.partition.estimate import Estimate

__all__ = ["Sandwich", "sandwich"]


class Sandwich(NamedTuple):
    """log Z from both sides.

    Attributes:
        lower: by annealing forward; its mean lies below log Z.
        upper: by annealing back from exact draws; its mean lies above log Z.
    """

    lower: Estimate
    upper: Estimate

    @property
    def gap(self) -> Tensor:
        """`upper` less `lower`, nats: near 0 both have converged; its mean is never below 0."""
        return self.upper.log_z - self.lower.log_z

    def interval(self, confidence: float = 0.95) -> tuple[Tensor, Tensor]:
        """An interval that misses log Z with a probability of at most 1 - confidence.

        The mean weight ŵ has expectation Z, and by Markov's inequality P(ŵ > e^c Z) <= e^{-c}; the
        same holds of 1 / Z. So log Z >= `lower` - c and log Z <= `upper` + c, each with
        probability 1 - e^{-c}, and c = log(2 / (1 - confidence)) makes both fail together at most
        so often. It holds for any number of chains, however badly they mix: 3.7 nats on either
        side for 95 %, far more than the errors of estimates that have converged.

        Raises:
            ConfigurationError: confidence does not lie between 0 and 1.

        Example:
            >>> both = Estimate.exact(torch.tensor(2.0))
            >>> [round(float(end), 2) for end in Sandwich(both, both).interval(0.99)]
            [-3.3, 7.3]
        """
        if not 0 < confidence < 1:
            raise ConfigurationError(
                f"confidence is {confidence}; it must lie between 0 and 1, as 0.95"
            )
        slack = math.log(2 / (1 - confidence))
        return self.lower.log_z - slack, self.upper.log_z + slack


def sandwich(
    u: Callable[[Tensor], Tensor],
    draws: Tensor,
    start: Start,
    kernel: Transition,
    *,
    times: Tensor,
    rng: torch.Generator,
    moves: int = 1,
    between: Between | None = None,
) -> Sandwich:
    """log Z of exp(-u) by annealed importance sampling both ways, with as many chains each.

    What each side means: the forward estimate lies *below* log Z in expectation, so that an NLL
    with it looks better than it is; the reverse one lies *above*, and its NLL looks worse, but
    only where the draws are exact: draws of a chain that missed a mode lower it too. Quote the
    worse of the two, and their gap.

    Args are those of `reverse_ais`: `draws` are exact and independent, (chains, *event).

    Raises:
        As `ais` and `reverse_ais`.

    Example:
        >>> from ebmlab.energies import DoubleWell, Gaussian
        >>> from ebmlab.samplers import MALA
        >>> start, rng = Gaussian(torch.zeros(2), torch.eye(2)), torch.Generator().manual_seed(0)
        >>> well, times = DoubleWell(), torch.linspace(0, 1, 51)
        >>> draws = well.sample(500, rng)
        >>> both = sandwich(well.given(), draws, start, MALA(0.1), times=times, rng=rng)
        >>> bool(both.gap.abs() < 0.1)
        True

    Source: Grosse, Ghahramani, Adams 2015, arXiv:1511.02543; Burda, Grosse, Salakhutdinov 2015,
    arXiv:1412.8566.
    """
    chains = len(draws) if draws.ndim else 0
    lower = ais(
        u, start, kernel, times=times, chains=chains, rng=rng, moves=moves, between=between
    )
    upper = reverse_ais(
        u, draws, start, kernel, times=times, rng=rng, moves=moves, between=between
    )
    return Sandwich(lower, upper)
