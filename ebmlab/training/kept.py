"""`Kept`: a run as its checkpoints know it, written and gone on from."""

from typing import Any, NamedTuple

import torch
from torch import nn

from ebmlab.training.checkpoints import Checkpoints
from ebmlab.training.course import Course
from ebmlab.training.own import own_buffers, take_own

__all__ = ["Kept"]

RANKS = "ranks"


class Kept(NamedTuple):
    """All that has state in a run, and where it is kept, if anywhere."""

    method: nn.Module
    optimizer: torch.optim.Optimizer | None
    rng: torch.Generator
    keep: Checkpoints | None
    course: Course

    def resumed(self, *, scheduled: bool) -> int:
        """The steps done before, all state being as it was after them.

        Step sizes are those of now, where no scheduler of torch knows its place.
        """
        if self.keep is None or not self.keep.resume:
            return 0
        sizes = [group["lr"] for group in self._groups()]
        restored = self.keep.latest(self.method, self.optimizer, rngs={"rng": self.rng})
        if restored is None:
            return 0
        self.course.load_state_dict(restored.extra)
        take_own(self.method, restored.extra.get(RANKS, {}))
        if not scheduled:
            # What was saved is the step size of that moment, which a schedule may have lowered.
            for group, lr in zip(self._groups(), sizes, strict=True):
                group["lr"] = lr
        return restored.step

    def at(self, step: int, *, last: bool) -> None:
        """Keep the run after this step, where it is to be kept."""
        if self.keep is not None and (last or step % self.keep.every == 0):
            self.keep.save(
                self.method,
                self.optimizer,
                rngs={"rng": self.rng},
                step=step,
                extra={**self.course.state_dict(), RANKS: own_buffers(self.method)},
            )

    def _groups(self) -> list[dict[str, Any]]:
        return [] if self.optimizer is None else self.optimizer.param_groups
