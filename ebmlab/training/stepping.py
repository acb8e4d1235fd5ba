"""`Stepping`: how each step is taken: its size, its gradient, its precision."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from ebmlab._checks import require_counts, require_positive
from ebmlab.errors import ConfigurationError
from ebmlab.training.schedule import Schedule

__all__ = ["Stepping"]


@dataclass(frozen=True, eq=False)
class Stepping:
    """How `fit` takes a step.

    Args:
        schedule: factor of the optimizer's step sizes as a function of the share of the steps
            done, such as `falling_cosine`: they are put back at the end. Or a scheduler of
            `torch.optim.lr_scheduler` around the optimizer, stepped once after each step, skipped
            ones too. None keeps them.
        warmup: steps in which the step sizes rise to what they are, along a line; 0 is none.
        clip: the norm that the gradient of all parameters together may have at most; None: any.
        accumulate: batches that a step sees one after another, whose gradients are averaged.
            Objectives that compare the rows of a batch compare those of each one alone.
        precision: `torch.bfloat16` runs networks under autocast; weights, sums and states stay in
            float32. None computes in the parameters' own type.
        patience: raise after that many skipped steps in a row.

    Raises:
        ConfigurationError: a number is out of range, or a scheduler is to warm up.

    Example:
        >>> Stepping(warmup=100, clip=3.0).accumulate
        1
    """

    schedule: Schedule | LRScheduler | None = None
    warmup: int = 0
    clip: float | None = None
    accumulate: int = 1
    precision: torch.dtype | None = None
    patience: int = 10

    def __post_init__(self) -> None:
        require_counts(accumulate=self.accumulate, patience=self.patience)
        if self.warmup:
            require_counts(warmup=self.warmup)
        if self.clip is not None:
            require_positive("clip", self.clip)
        if self.warmup and isinstance(self.schedule, LRScheduler):
            raise ConfigurationError(
                f"warmup is {self.warmup} beside a {type(self.schedule).__name__}: put a LinearLR "
                "before it, by SequentialLR"
            )
        if self.precision not in (None, torch.bfloat16):
            raise ConfigurationError(
                f"precision is {self.precision}; expected torch.bfloat16, which has the range of "
                "float32 where gradients of float16 vanish, or None for the parameters' own type"
            )

    def autocast(self, device: torch.device) -> Any:
        """The context in which networks run."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(device.type, self.precision)

    @torch.no_grad()
    def clipped(self, parameters: list[nn.Parameter]) -> None:
        """Shorten the gradients where they are longer than they may be."""
        if self.clip is not None:
            nn.utils.clip_grad_norm_(parameters, self.clip)
