"""Annealed importance sampling: log Z by chains from a known law to the target, or back."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_generator
from ebmlab._kinds import require_tensors
from ebmlab.partition.course import Between, Course, Start, Transition
from ebmlab.partition.estimate import Estimate

__all__ = ["ais", "reverse_ais"]


def ais(
    u: Callable[[Tensor], Tensor],
    start: Start,
    kernel: Transition,
    *,
    times: Tensor,
    chains: int,
    rng: torch.Generator,
    moves: int = 1,
    between: Between | None = None,
) -> Estimate:
    """log Z of exp(-u) by annealed importance sampling: a lower bound in expectation.

    y₀ is drawn from the start; chain after chain y_k is moved by a kernel that leaves exp(-u_t)
    invariant, t = t_k. With w = Z₀ Π_k exp(u_{t_{k-1}}(y_{k-1}) - u_{t_k}(y_{k-1})), E[w] = Z,
    however badly the kernel mixes, and log Z is estimated by log mean w. Weights are summed in
    float64; energies in the thousands should be float64 too.

    Args:
        u: the target, a potential of y (chains, *event).
        start: a law with `sample(n, rng)`, `log_z` and `given()` that covers the target, such as
            a wide `Gaussian`; `Bernoulli` for binary y.
        kernel: a Metropolis-adjusted or Gibbs kernel with `energy`, and `grad` where it has one,
            in its state; or a function of t that makes one, `lambda t: MALA(0.1 + 0.4 * (1 - t))`.
            What else the state holds (momenta) must not depend on u. An unadjusted kernel biases
            the estimate.
        times: t (k,), rising from 0 to 1, dense where the law changes fast.
        chains: how many, >= 2; each gives one weight.
        rng: a generator; draws live on its device.
        moves: transitions at each time.
        between: t to u_t for 0 < t < 1; None: (1 - t) u₀ + t u. For an RBM see `RBMPath`.

    Raises:
        ShapeError, ConfigurationError: times do not rise from 0 to 1, chains < 2, or moves < 1.
        NonFiniteError: an energy is NaN or -∞, or all weights are 0.

    Example:
        >>> from ebmlab.energies import DoubleWell, Gaussian
        >>> from ebmlab.samplers import MALA
        >>> start, rng = Gaussian(torch.zeros(2), torch.eye(2)), torch.Generator().manual_seed(0)
        >>> times = torch.linspace(0, 1, 51)
        >>> well = DoubleWell()
        >>> estimate = ais(well.given(), start, MALA(0.1), times=times, chains=500, rng=rng)
        >>> abs(float(estimate.log_z - well.log_z)) < 3 * float(estimate.standard_error)
        True

    Source: Neal 2001, arXiv:physics/9803008.
    """
    course = Course.of(u, start, kernel, times, moves, between)
    draws = start.sample(chains, require_generator(rng, "ais", rng.device))
    log_weights = _annealed(course, draws, course.times, rng)
    return Estimate.from_weights(log_weights + start.log_z.detach().double())


def reverse_ais(
    u: Callable[[Tensor], Tensor],
    draws: Tensor,
    start: Start,
    kernel: Transition,
    *,
    times: Tensor,
    rng: torch.Generator,
    moves: int = 1,
    between: Between | None = None,
) -> Estimate:
    """log Z of exp(-u) by annealing back from exact draws: an upper bound in expectation.

    The same chains in the other direction: from y ~ exp(-u) / Z at t = 1 to the start at t = 0,
    with weights whose expectation is 1 / Z. It is a bound only if the draws are exact and
    independent; draws of a chain that has not converged make it worthless. With `ais` it brackets
    log Z: where both agree, both have converged.

    `draws` are exact and independent draws from exp(-u) / Z, (chains, *event), at least two. All
    else, and what is raised, is as in `ais`: times still rise from 0 to 1; the target must cover
    the start.

    Example:
        >>> from ebmlab.energies import DoubleWell, Gaussian
        >>> from ebmlab.samplers import MALA
        >>> start, rng = Gaussian(torch.zeros(2), torch.eye(2)), torch.Generator().manual_seed(0)
        >>> well, times = DoubleWell(), torch.linspace(0, 1, 51)
        >>> draws = well.sample(500, rng)
        >>> reverse_ais(well.given(), draws, start, MALA(0.1), times=times, rng=rng).bound
        'upper'

    Source: Burda, Grosse, Salakhutdinov 2015, arXiv:1412.8566; Grosse, Ghahramani, Adams 2015,
    arXiv:1511.02543.
    """
    require_tensors(draws=draws)
    require_generator(rng, "reverse_ais", draws.device)
    course = Course.of(u, start, kernel, times, moves, between)
    log_weights = _annealed(course, draws, course.times[::-1], rng)
    return Estimate.from_inverse_weights(log_weights - start.log_z.detach().double())


@torch.no_grad()
def _annealed(course: Course, y: Tensor, times: list[float], rng: torch.Generator) -> Tensor:
    """Log weights (chains,) of chains that go from y through all times."""
    state = course.at(times[0]).enter(y, rng)
    log_weights = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    for t in times[1:-1]:
        stage = course.at(t)
        state, log_weights = stage.reweigh(state, log_weights)
        state = stage.move(state, rng)
    return course.at(times[-1]).reweigh(state, log_weights)[1]
