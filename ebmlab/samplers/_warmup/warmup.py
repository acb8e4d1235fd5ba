"""`warmup`: a step size and a metric learned from a kernel's own chains."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from ebmlab._progress import progress_bar
from ebmlab.errors import ConfigurationError
from ebmlab.kernels.compiled import CompiledPotential
from ebmlab.samplers._steps.start import started
from ebmlab.samplers._warmup.tuning import Tunable, Tuning
from ebmlab.samplers.mala import MALA
from ebmlab.samplers.metric import Dense, Diagonal, Metric
from ebmlab.types import as_potential

__all__ = ["warmup"]

Kind = TypeVar("Kind", bound=Tunable)

FEWEST = 40
DENSE_UP_TO = 100
LONGEST_ALONE = 50


def warmup(
    sampler: Kind,
    u: Callable[[Tensor], Tensor],
    y: Any,
    *,
    steps: int,
    rng: torch.Generator,
    metric: type[Metric] | None = None,
    target: float | None = None,
    progress: bool = False,
    compile: bool = False,
) -> tuple[Kind, Any]:
    """Tune a kernel on its own chains: its step size, its metric, of `ChEESHMC` also its length.

    In up to a quarter of the steps, 50 at most, each chain comes in by itself: under HMC with a
    step size of its own and, where a `Dense` metric is wanted, the curvature around it for a
    metric, at d gradients each time. Then the sampler moves all chains alike, from the mean
    curvature on, in windows that double: 25, 50, 100, … steps. After each the covariance of its
    draws, pooled over the chains that have come in, becomes the metric, and dual averaging of the
    acceptance and the length of trajectories begin anew; chains that are far out or stuck then
    come in as at first, not counted as steps. Early trajectories are kept short. The last sixth
    of the steps leaves the metric alone, and the step size is its.

    Args:
        sampler: `HMC`, `ChEESHMC`, `NUTS`, `MALA`, or what has their fields `step_size` and
            `metric`; what these hold is where tuning starts.
        u: a potential, or any callable (chains, *event) -> (chains,).
        y: where the chains start, (chains, *event), or a state to go on from. Chains that start
            apart teach a metric sooner.
        steps: how many transitions, at least 40; 200 to 1000 serve.
        rng: a generator on y's device.
        metric: the class to learn; None is `Dense` up to 100 dimensions, and `Diagonal` above. A
            coordinate that never moves keeps the scale it had.
        target: acceptance aimed at; None is 0.57 for `MALA`, whose proposals are single leaps, and
            0.8 for the others.
        progress: show a bar, on a terminal or in a notebook.
        compile: compile energy and gradient into one program, as `run` does for samplers that are
            not a `Kernel`.

    Returns:
        The tuned sampler, its step size a number, and the state to go on from.

    Raises:
        ShapeError, DtypeError, NonFiniteError, DeviceError: as `run`.
        DivergenceError: an energy has fallen without bound.
        ConfigurationError: too few steps, a target outside (0, 1), a sampler without the fields.

    Example:
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
    u, state = started(sampler, as_potential(u), y, rng)
    if compile:
        u = CompiledPotential(u)
    if target is None:
        target = 0.57 if isinstance(sampler, MALA) else 0.8
    dim = state.y[0].numel()
    kind = metric or (Dense if dim <= DENSE_UP_TO else Diagonal)
    with progress_bar("sampling", steps, progress) as bar:
        tuning = Tuning(sampler, u, state, rng, target, bar.update)
        made = tuning.alone(min(steps // 4, LONGEST_ALONE), kind)
        tuning.together(_windows(steps - made), kind)
    return tuning.tuned(), tuning.state


def _check(sampler: Any, steps: int, target: float | None) -> None:
    if not isinstance(sampler, Tunable):
        raise ConfigurationError(
            f"{type(sampler).__name__} has no step_size and metric to tune; warm up HMC, NUTS, "
            "ChEESHMC or MALA"
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
