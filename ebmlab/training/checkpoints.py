"""`Checkpoints`: where a run is kept, how often, and whether it goes on from there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ebmlab._checks import require_counts
from ebmlab.training.checkpoint import Restored, load, save

__all__ = ["CHECKPOINT", "Checkpoints"]

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoints:
    """A folder that holds `checkpoint.safetensors`: all that a run needs to go on, bit for bit.

    Args:
        folder: made where it is missing.
        every: steps from one checkpoint to the next; the last step is always kept.
        resume: go on from what the folder holds; where it holds nothing yet, begin.

    Raises:
        ConfigurationError: `every` is not a positive integer.
    """

    folder: str | Path
    every: int = 1000
    resume: bool = False

    def __post_init__(self) -> None:
        require_counts(every=self.every)

    @property
    def path(self) -> Path:
        """The file of the newest checkpoint."""
        return Path(self.folder) / CHECKPOINT

    def save(
        self,
        method: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        *,
        rngs: dict[str, torch.Generator],
        step: int,
        extra: dict[str, Any],
    ) -> None:
        """Keep a run as it is after a step. Raises as `training.save`."""
        save(self.path, method, optimizer, rngs=rngs, step=step, extra=extra)

    def latest(
        self,
        method: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        *,
        rngs: dict[str, torch.Generator],
    ) -> Restored | None:
        """Restore the newest checkpoint in place; None where there is none. Raises as `load`."""
        if not self.path.exists():
            return None
        return load(self.path, method, optimizer, rngs=rngs)
