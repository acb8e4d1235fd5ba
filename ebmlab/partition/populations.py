"""Sequential Monte Carlo: annealing with populations in which heavy chains replace light ones."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import require_generator, require_shares
from ebmlab.errors import ConfigurationError
from ebmlab.partition.course import Between, Course, Start, Transition
from ebmlab.partition.estimate import Estimate

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

    `particles` are those of each population, at least two, and so are the populations; a standard
    error from few of them is itself uncertain. `threshold` is the share, in [0, 1]: 0 never
    resamples, 1 always does. All else, and what is raised, is as in `ais`.

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
    require_shares(threshold=threshold)
    if particles < 2:
        raise ConfigurationError(f"particles is {particles}; a population has at least 2")
    require_generator(rng, "smc", rng.device)
    course = Course.of(u, start, kernel, times, moves, between)
    y = start.sample(populations * particles, rng)
    with torch.no_grad():
        state = course.at(0.0).enter(y, rng)
        log_weights = torch.zeros(populations, particles, dtype=torch.float64, device=y.device)
        log_z = log_weights[:, 0] + start.log_z.detach().double()
        for t in course.times[1:-1]:
            stage = course.at(t)
            state, log_weights = stage.reweigh(state, log_weights)
            state, log_weights, gained = _resampled(state, log_weights, threshold, rng)
            log_z = log_z + gained
            state = stage.move(state, rng)
        _, log_weights = course.at(1.0).reweigh(state, log_weights)
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
    n = log_weights.shape[1]
    below = log_weights.softmax(1).cumsum(1)
    shift = torch.empty_like(below[:, :1]).uniform_(generator=rng)
    marks = (torch.arange(n, device=log_weights.device) + shift) / n
    # Rounding may leave the last sum below the last mark.
    return torch.searchsorted(below, marks, right=True).clamp(max=n - 1)


def _log_mean(log_weights: Tensor) -> Tensor:
    return log_weights.logsumexp(1) - math.log(log_weights.shape[1])
