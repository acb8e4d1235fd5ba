"""`Tunable`: a sampler that says how `warmup` tunes it, and the `Learner` of what is its own."""

import dataclasses
from typing import Any, ClassVar

from torch import Tensor

from ebmlab.samplers.metric import Metric

__all__ = ["Learner", "Tunable"]


class Tunable:
    """A base for samplers that `warmup` tunes: dataclasses with a step size and a metric.

    Attributes:
        target_acceptance: the mean acceptance at which the sampler does best, in (0, 1).
        step_size: ε > 0, also one per chain, shaped to meet (chains, *event).
        metric: M = L Lᵀ.

    Example:
        >>> from ebmlab.samplers import HMC
        >>> isinstance(HMC(0.1), Tunable), HMC.target_acceptance
        (True, 0.8)
    """

    target_acceptance: ClassVar[float] = 0.8
    step_size: float | Tensor
    metric: Metric

    def learner(self, state: Any) -> "Learner":
        """What a warm-up of chains in this state learns beside a step size and a metric."""
        return Learner(self)


class Learner:
    """Makes the kernels of a warm-up; a subclass learns what only its sampler has.

    Args:
        sampler: the kernel as it was before the warm-up.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def trial(self, step_size: float | Tensor, metric: Metric) -> Any:
        """A kernel with exactly this step size, to see what it accepts."""
        return dataclasses.replace(self.sampler, step_size=step_size, metric=metric)

    def kernel(self, step_size: float | Tensor, metric: Metric) -> Any:
        """The kernel of the next transition, which `see` is shown."""
        return self.trial(step_size, metric)

    def see(self, state: Any, info: Any) -> None:
        """Learn from a transition that led to this state."""

    def renew(self, metric: Metric) -> None:
        """Begin anew where a metric was learned."""

    def tuned(self, step_size: float, metric: Metric) -> Any:
        """The sampler with all that was learned."""
        return dataclasses.replace(self.sampler, step_size=step_size, metric=metric)
