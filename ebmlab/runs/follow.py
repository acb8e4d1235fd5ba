"""What is seen of a run while it trains: numbers for its record, frames for its film."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ebmlab.errors import FileError
from ebmlab.protocols import Loss
from ebmlab.runs.kind import Built, Kind
from ebmlab.training.batches import Batch
from ebmlab.training.checkpoint import Restored
from ebmlab.training.course import Course

__all__ = ["Follow", "frames_of"]

FRAMES, WATCH = "frames", "watch"


class Follow:
    """Looks at a run at the steps that are recorded, and keeps the frames.

    Args:
        kind, built: the run.
    """

    def __init__(self, kind: Kind[Any, Any], built: Built) -> None:
        self._kind, self._built, self._watch = kind, built, kind.watch()
        self._course = Course({WATCH: self._watch})
        self._step = 0
        self.frames: dict[int, Tensor] = {}

    def begin(self) -> None:
        """Look before the first step."""
        self._look()

    def seen(self, step: int) -> None:
        """Note how far the run is."""
        self._step = step

    def __call__(
        self, method: nn.Module, batch: Batch, loss: Loss
    ) -> Mapping[str, Tensor | float]:
        """The numbers of a look, and those of the kind's watch."""
        seen = {} if self._watch is None else self._watch(method, batch, loss)
        return {**self._look(), **seen}

    def _look(self) -> dict[str, float]:
        numbers, frame = self._kind.look(self._built)
        self.frames |= {} if frame is None else {self._step: frame}
        return numbers

    def state_dict(self) -> dict[str, Any]:
        """The frames as a checkpoint keeps them, and the state of the kind's watch."""
        frames = {str(step): frame for step, frame in self.frames.items()}
        return {FRAMES: frames, **self._course.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there. Raises as `frames_of`."""
        self.frames = _frames(state)
        self._course.load_state_dict(state)


def frames_of(restored: Restored) -> dict[int, Tensor]:
    """The frames in a checkpoint of a run, by step.

    Raises:
        FileError: what it holds are none.
    """
    return _frames(restored.extra.get(WATCH, {}))


def _frames(state: dict[str, Any]) -> dict[int, Tensor]:
    try:
        frames = state.get(FRAMES, {})
        return {int(step): frame for step, frame in frames.items() if isinstance(frame, Tensor)}
    except (AttributeError, TypeError, ValueError) as error:
        raise FileError(f"the checkpoint holds no frames of a film: {error!r}") from error
