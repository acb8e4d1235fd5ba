"""`warmup`: a step size and a metric learned from a sampler's own chains."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

from ebmlab._progress import progress_bar
from ebmlab.errors import ConfigurationError
from ebmlab.kernels.programs import CompiledPotential
from ebmlab.samplers._run.started import started
from ebmlab.samplers._warmup.tuning import Tuning
from ebmlab.samplers.metric import Dense, Diagonal, Metric
from ebmlab.samplers.tunable import Tunable
from ebmlab.types import Rng

__all__ = ["warmup"]

Kind = TypeVar("Kind", bound=Tunable)

TUNED = ("step_size", "metric", "target_acceptance", "learner")
FEWEST = 40
DENSE_UP_TO = 100
LONGEST_ALONE = 50


def warmup(
    sampler: Kind,
    u: Callable[[Tensor], Tensor],
    y: Any,
    *,
    steps: int,
    rng: Rng = None,
    metric: type[Metric] | None = None,
    target: float | None = None,
    progress: bool = False,
    compile: bool = False,
) -> tuple[Kind, Any]:
    """Tune a sampler on its own chains: step size and metric, of `ChEESHMC` also the length.

    In up to a quarter of the steps, 50 at most, each chain comes in by itself: under HMC with a
    step size of its own and, if a `Dense` metric is wanted, with the curvature around the chain as
    its metric, at d gradients each time. This goes on, without counting as steps, while the energy
    of a chain still falls. Then the sampler moves all chains alike, beginning with the mean
    curvature, in windows that double: 25, 50, 100, … steps. After each window the covariance of
    its draws becomes the metric, and the dual averaging of the acceptance and the length of
    trajectories begin anew; chains that are far out or stuck come in once more, by themselves.
    Only chains that have come in count in these averages. Early trajectories are kept short. The
    last sixth of the steps leaves the metric alone and gives the step size.

    It warns of chains that were far out in all of the last window: their energies stayed above
    those of the others by more than draws of one law differ.

    Args:
        sampler: `HMC`, `ChEESHMC`, `NUTS`, `MALA`, or a `Tunable` of your own; its step size and
            metric are where tuning starts.
        u: a potential, or any callable (chains, *event) -> (chains,).
        y: where the chains start, (chains, *event), or a state to go on from. Chains that start
            apart teach a metric sooner.
        steps: how many transitions, at least 40; 200 to 1000 are usual.
        rng: a generator on y's device; it must be given.
        metric: the class to learn; None is `Dense` up to 100 dimensions, and `Diagonal` above. A
            coordinate that never moves keeps the scale it had.
        target: the acceptance to aim at; None is the sampler's `target_acceptance`.
        progress: show a bar, on a terminal or in a notebook.
        compile: compile energy and gradient into one program, as `run` does for samplers that are
            not a `Kernel`.

    Returns:
        The tuned sampler, its step size a number, and the state to go on from.

    Raises:
        ShapeError, DtypeError, NonFiniteError, DeviceError: as `run`.
        DivergenceError: an energy has fallen without bound.
        ConfigurationError: too few steps, a target outside (0, 1), no rng, or a sampler that does
            not say how it is tuned.

    Example:
        >>> import torch
        >>> from ebmlab.samplers import HMC
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * (y / torch.tensor([1.0, 100.0])).square().sum(-1)
        >>> tuned, state = warmup(HMC(0.1, 5), u, torch.randn(32, 2), steps=300, rng=rng)
        >>> tuned.step_size > 0.1
        True

    Source: Hoffman, Gelman 2014, arXiv:1111.4246; Carpenter et al. 2017 for the windows; Qi, Minka
    2002 for curvature where each chain stands.
    """
    _check(sampler, steps, target)
    _, u, state, rng = started("warmup", sampler, u, y, rng)  # pyright: ignore[reportArgumentType]
    if compile:
        u = CompiledPotential(u)
    kind = metric or (Dense if state.y[0].numel() <= DENSE_UP_TO else Diagonal)
    with progress_bar("sampling", steps, progress) as bar:
        tuning = Tuning(sampler, u, state, rng, target or sampler.target_acceptance, bar.update)
        made = tuning.alone(min(steps // 4, LONGEST_ALONE), kind)
        tuning.together(_windows(steps - made), kind)
    _warn_of_far_chains(tuning.far(), tuning.lowest)
    return tuning.tuned(), tuning.state


def _warn_of_far_chains(far: Tensor, lowest: Tensor) -> None:
    if bool(far.any()):
        who = far.nonzero()[:8, 0].tolist()
        warnings.warn(
            f"{int(far.sum())} of {len(far)} chains are far out after the warm-up (chain "
            f"{', '.join(map(str, who))}{', …' if far.sum() > len(who) else ''}): their energies "
            f"stay above {float(lowest[far].min()):.4g}, those of others come down to "
            f"{float(lowest.min()):.4g}; start them nearer, warm up longer, or drop them",
            stacklevel=3,
        )


def _check(sampler: Any, steps: int, target: float | None) -> None:
    lacks = [name for name in TUNED if not hasattr(sampler, name)]
    if lacks:
        raise ConfigurationError(
            f"{type(sampler).__name__} does not say how it is tuned: it lacks {', '.join(lacks)}; "
            "derive it from samplers.Tunable, or warm up HMC, ChEESHMC, NUTS or MALA"
        )
    if steps < FEWEST:
        raise ConfigurationError(f"steps is {steps}; a warm-up needs at least {FEWEST}")
    if target is not None and not 0 < target < 1:
        raise ConfigurationError(f"target is {target}; an acceptance lies in (0, 1)")


def _windows(steps: int) -> list[int]:
    """Widths: windows that double, each for a metric, and a last one."""
    last = steps // 6
    width, left, widths = max(10, min(25, steps // 10)), steps - last, []
    while left >= 3 * width:
        widths.append(width)
        left, width = left - width, 2 * width
    return [*widths, left, last]
