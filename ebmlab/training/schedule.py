"""Step sizes over a run: factors of the optimizer's own, by the share of the steps done."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

__all__ = ["Schedule", "falling_cosine", "scheduled"]

Schedule = Callable[[float], float]


def falling_cosine(done: float) -> float:
    """½ (1 + cos πt) of the share t of the steps done: from 1 down to 0.

    Example:
        >>> falling_cosine(0.0), falling_cosine(0.5), falling_cosine(1.0)
        (1.0, 0.5, 0.0)

    Source: Loshchilov, Hutter 2017, arXiv:1608.03983.
    """
    return 0.5 * (1 + math.cos(math.pi * done))


@contextmanager
def scheduled(
    optimizer: torch.optim.Optimizer | None, schedule: Schedule | None, steps: int
) -> Iterator[Callable[[int], None]]:
    """Gives what sets the step sizes before each step (1, 2, …); they are put back at the end."""
    groups = optimizer.param_groups if optimizer is not None and schedule is not None else []
    own = [group["lr"] for group in groups]

    def at(step: int) -> None:
        for group, lr in zip(groups, own, strict=True):
            assert schedule is not None
            group["lr"] = lr * schedule((step - 1) / steps)

    try:
        yield at
    finally:
        for group, lr in zip(groups, own, strict=True):
            group["lr"] = lr
