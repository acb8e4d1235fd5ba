"""Step sizes over a run: factors of the optimizer's own, by the share of the steps done."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from ebmlab.errors import ConfigurationError

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
    optimizer: torch.optim.Optimizer | None,
    schedule: Schedule | LRScheduler | None,
    steps: int,
    warmup: int = 0,
) -> Iterator[tuple[Callable[[int], object], Callable[[], object]]]:
    """Gives what is called before each step (1, 2, …), and what is called after it.

    A function's factors are taken off the step sizes at the end; a scheduler of torch keeps its
    place, so that another run goes on from there.

    Raises:
        ConfigurationError: a scheduler moves another optimizer, or waits for a number.
    """
    if isinstance(schedule, LRScheduler):
        _require_ours(schedule, optimizer)
        yield _nothing, schedule.step
        return
    if not (schedule is None or callable(schedule)):
        raise ConfigurationError(
            f"schedule is of type {type(schedule).__name__}; expected a function of the share of "
            "the steps done, or a scheduler of torch.optim.lr_scheduler"
        )
    still = schedule is None and not warmup
    groups = [] if optimizer is None or still else optimizer.param_groups
    own = [group["lr"] for group in groups]

    def at(step: int) -> None:
        factor = 1.0 if schedule is None else schedule((step - 1) / steps)
        rise = min(1.0, step / warmup) if warmup else 1.0
        for group, lr in zip(groups, own, strict=True):
            group["lr"] = lr * factor * rise

    try:
        yield at, _nothing
    finally:
        for group, lr in zip(groups, own, strict=True):
            group["lr"] = lr


def _nothing(*_: int) -> None:
    return


def _require_ours(schedule: LRScheduler, optimizer: torch.optim.Optimizer | None) -> None:
    who = type(schedule).__name__
    if isinstance(schedule, ReduceLROnPlateau):
        raise ConfigurationError(
            f"schedule is a {who}, which waits for a number: step it yourself between runs of fit"
        )
    if schedule.optimizer is not optimizer:
        raise ConfigurationError(
            f"schedule is a {who} of another optimizer: pass optimizer=, the one it was made with"
        )
