"""Sequential Monte Carlo: annealing with populations in which heavy chains replace light ones."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import require_generator
from ebmlab.errors import ConfigurationError
from ebmlab.partition.course import Between, Course, Start, Transition, checked_times
from ebmlab.partition.estimate import Estimate
from ebmlab.types import as_potential

__all__ = ["smc", "systematic"]


def smc(
    u: Callable[[Tensor], Tensor],
    start: Start,
    kernel: Transition,
    *,
    times: Tensor,
    particles: int,
    populations: int = 32,
    rng: torch.Generator,
    moves: int = 1,
    between: Between | None = None,
    threshold: float = 0.5,
) -> Estimate:
    """log Z of exp(-u) by a sequential Monte Carlo sampler: a lower bound in expectation.

    Chains are weighed and moved as in `ais`. Where the effective sample size of a population
    falls below a share of its particles, all are resampled by their weights (systematically), and
    the mean weight goes into its estimate of Z, which stays unbiased. Particles of one population
    depend on each other; populations do not, so the standard error comes from them, and
    `log_weights` (populations,) are their estimates.

    Args:
        u: the target, as in `ais`.
        start: as in `ais`.
        kernel: as in `ais`.
        times: as in `ais`.
        particles: of each population, >= 2.
        populations: how many, >= 2; a standard error from few of them is itself uncertain.
        rng: a generator; draws live on its device.
        moves: transitions at each time.
        between: as in `ais`.
        threshold: the share, in [0, 1]; 0 never resamples, 1 always does.

    Raises:
        ShapeError, ConfigurationError, NonFiniteError: those of `ais`; or particles < 2, or a
            threshold outside [0, 1].

    Example:
        >>> from ebmlab.energies import DoubleWell, Gaussian
        >>> from ebmlab.samplers import MALA
        >>> start, rng = Gaussian(torch.zeros(2), torch.eye(2)), torch.Generator().manual_seed(0)
        >>> well, times = DoubleWell(), torch.linspace(0, 1, 11)
        >>> estimate = smc(well.given(), start, MALA(0.1), times=times, particles=50, rng=rng)
        >>> abs(float(estimate.log_z - well.log_z)) < 3 * float(estimate.standard_error)
        True

    Source: Del Moral, Doucet, Jasra 2006; Whiteley, Lee, Heine 2016, arXiv:1309.2918.
    """
    if particles < 2 or not 0 <= threshold <= 1:
        raise ConfigurationError(
            f"particles is {particles}, threshold {threshold}; they must be >= 2 and in [0, 1]"
        )
    marks = checked_times(times)
    require_generator(rng, "smc", rng.device)
    course = Course(start.given(), as_potential(u), kernel, between, moves)
    y = start.sample(populations * particles, rng)
    with torch.no_grad():
        state = course.enter(y, marks[0], rng)
        log_weights = torch.zeros(populations, particles, dtype=torch.float64, device=y.device)
        log_z = log_weights[:, 0] + start.log_z.detach().double()
        for t in marks[1:-1]:
            state, log_weights = course.reweigh(state, log_weights, t)
            state, log_weights, gained = _resampled(state, log_weights, threshold, rng)
            log_z = log_z + gained
            state = course.move(state, t, rng)
        _, log_weights = course.reweigh(state, log_weights, marks[-1])
        return Estimate.from_weights(log_z + _log_mean(log_weights))


def _resampled(
    state: Any, log_weights: Tensor, threshold: float, rng: torch.Generator
) -> tuple[Any, Tensor, Tensor]:
    """Every poor population redrawn: states, log weights, and log of the mean weight taken out.

    The shapes do not depend on which are poor, so that nothing waits for the answer.
    """
    populations, n = log_weights.shape
    size = (2 * log_weights.logsumexp(1) - (2 * log_weights).logsumexp(1)).exp()
    poor = (size < threshold * n) if threshold < 1 else size.isfinite()
    kept = torch.arange(n, device=log_weights.device)
    ancestors = torch.where(poor[:, None], systematic(log_weights, rng), kept)
    first = n * torch.arange(populations, device=log_weights.device)
    index = (ancestors + first[:, None]).flatten()
    state = type(state)(*(part[index] for part in state))
    gained = torch.where(poor, _log_mean(log_weights), 0.0)
    return state, torch.where(poor[:, None], 0.0, log_weights), gained


def systematic(log_weights: Tensor, rng: torch.Generator) -> Tensor:
    """Ancestors (populations, n): particle i is taken ⌊n w_i⌋ or ⌈n w_i⌉ times, n w_i on average.

    Source: Kitagawa 1996.
    """
    populations, n = log_weights.shape
    below = log_weights.softmax(1).cumsum(1)
    shift = torch.rand(
        populations, 1, generator=rng, dtype=torch.float64, device=log_weights.device
    )
    marks = (torch.arange(n, device=log_weights.device) + shift) / n
    # Rounding may leave the last sum below the last mark.
    return torch.searchsorted(below, marks, right=True).clamp(max=n - 1)


def _log_mean(log_weights: Tensor) -> Tensor:
    return log_weights.logsumexp(1) - math.log(log_weights.shape[1])
