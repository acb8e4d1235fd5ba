"""A step size learned from its acceptance: a first guess by doubling, then dual averaging."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["DualAveraging", "first_guess"]

DOUBLINGS = 100


class DualAveraging:
    """Step sizes whose acceptance averages to a target, by Nesterov's primal-dual averaging.

    After t acceptances α: log ε = log ε₀ - √t / γ · H, with H the mean of (target - α) over t + t₀
    steps; what is kept is an average of log ε in which later steps count more.

    Args:
        step_size: ε₀ > 0, () or one per chain, (chains,).
        target: acceptance, in (0, 1).

    Example:
        >>> averaging = DualAveraging(torch.tensor(1.0), target=0.8)
        >>> for _ in range(500):
        ...     averaging.see((-averaging.step_size).exp())
        >>> torch.testing.assert_close((-averaging.average).exp().item(), 0.8, atol=1e-2, rtol=0)

    Source: Nesterov 2009; Hoffman, Gelman 2014, arXiv:1111.4246 (γ = 0.05, t₀ = 10, κ = 0.75).
    """

    def __init__(self, step_size: Tensor, target: float) -> None:
        self.step_size = self.average = step_size
        self._origin, self._target = step_size.log(), target
        self._count = 0
        self._miss = self._log_average = torch.zeros_like(step_size)

    def see(self, acceptance: Tensor) -> None:
        """Move by the acceptance that `step_size` just had."""
        self._count += 1
        self._miss = self._miss + (self._target - acceptance - self._miss) / (self._count + 10)
        log_step = self._origin - math.sqrt(self._count) / 0.05 * self._miss
        weight = self._count**-0.75
        self._log_average = self._log_average + weight * (log_step - self._log_average)
        self.step_size, self.average = log_step.exp(), self._log_average.exp()


def first_guess(acceptance: Callable[[Tensor], Tensor], step_size: Tensor) -> Tensor:
    """The step sizes, () or (chains,), at which acceptance crosses 1/2, by doubling or halving.

    Example:
        >>> first_guess(lambda step: (-step).exp(), torch.tensor([0.1, 3.0]))
        tensor([0.4000, 0.3750])

    Source: Hoffman, Gelman 2014, arXiv:1111.4246, algorithm 4.
    """
    grows = acceptance(step_size) > 0.5
    factor = torch.where(grows, 2.0, 0.5).to(step_size)
    going = torch.ones_like(grows)
    for _ in range(DOUBLINGS):
        new = step_size * factor
        crossed = (acceptance(new) > 0.5) != grows
        # Of the two step sizes around the crossing the accepted one is taken.
        step_size = torch.where(going & ~(crossed & grows), new, step_size)
        going = going & ~crossed
        if not bool(going.any()):
            break
    return step_size
