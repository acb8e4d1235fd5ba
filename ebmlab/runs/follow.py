"""What is seen of a run while it trains: numbers for its record, frames for its film."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ebmlab.errors import FileError
from ebmlab.protocols import Loss
from ebmlab.runs.kind import Built, Kind
from ebmlab.training.batches import Batch
from ebmlab.training.checkpoint import Restored

__all__ = ["Follow", "frames_of"]

FRAMES = "frames"


class Follow:
    """Looks at a run at the steps that are recorded, and keeps the frames.

    `at` comes before the checkpoint of a step, so that this holds its frame; then `fit` calls it
    as a watch.

    Args:
        kind, built: the run.
        frames: those that there are, by step.
        steps, every: of the run, and from one look to the next.
    """

    def __init__(
        self,
        kind: Kind[Any, Any],
        built: Built,
        frames: Mapping[int, Tensor],
        *,
        steps: int,
        every: int,
    ) -> None:
        self._kind, self._built, self._watch = kind, built, kind.watch()
        self._due = lambda step: step % every == 0 or step == steps
        self.frames = dict(frames)
        self._numbers: dict[str, float] = {}

    def at(self, step: int, *, last: bool = False) -> None:
        """Look, if this step is recorded."""
        if last or self._due(step):
            self._numbers, frame = self._kind.look(self._built)
            self.frames |= {} if frame is None else {step: frame}

    def __call__(
        self, method: nn.Module, batch: Batch, loss: Loss
    ) -> Mapping[str, Tensor | float]:
        """The numbers of the last look, and those of the kind's watch."""
        seen = {} if self._watch is None else self._watch(method, batch, loss)
        return {**self._numbers, **seen}

    def extra(self) -> dict[str, Any]:
        """The frames as a checkpoint keeps them."""
        return {FRAMES: {str(step): frame for step, frame in self.frames.items()}}


def frames_of(restored: Restored) -> dict[int, Tensor]:
    """The frames in a checkpoint, by step.

    Raises:
        FileError: what it holds are none.
    """
    frames = restored.extra.get(FRAMES, {})
    try:
        return {int(step): frame for step, frame in frames.items() if isinstance(frame, Tensor)}
    except (AttributeError, TypeError, ValueError) as error:
        raise FileError(f"the checkpoint holds no frames of a film: {error!r}") from error
