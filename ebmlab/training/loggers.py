"""Where the numbers of a run go besides its record: loggers, and TensorBoard's."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, final

from ebmlab.errors import ConfigurationError

__all__ = ["Logger", "TensorBoard"]


class Logger(Protocol):
    """Any callable of a step and its numbers; `fit` calls it at the recorded steps.

    A tracker of your own takes two lines, and `loggers=(log,)`:

    ```python
    tracked = wandb.init(project="energies", resume="allow")  # or trackio.init(…)
    log = lambda step, numbers: tracked.log(dict(numbers), step=step)
    ```

    Example:
        >>> values = {}
        >>> log: Logger = lambda step, numbers: values.update({step: numbers["value"]})
        >>> log(10, {"value": 0.5, "rank": 3.0})
        >>> values
        {10: 0.5}
    """

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Take the numbers of one step by their names; NaN where one is not known."""
        ...


@final
class TensorBoard:
    """A logger that writes scalars for TensorBoard: `tensorboard --logdir FOLDER` shows them.

    Needs the extra: `pip install ebmlab[log]`. The file is opened at the first call, and what an
    earlier run had written into the folder from that step on is hidden: a run that was killed
    and goes on from a checkpoint leaves no curve that runs back. Each step is flushed, so that
    nothing is lost where a run is killed; `close`, or leaving a `with`, ends the file.

    Args:
        folder: made where it is missing; runs in subfolders of one folder are shown together.

    Raises:
        ConfigurationError: tensorboard is not installed.

    ```python
    with TensorBoard("runs/mine") as log:
        fit(method, data, steps=1000, record=Recording(loggers=(log,)))
    ```
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._make = _writer()
        self._open: Any = None

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of one step."""
        if self._open is None:
            self._open = self._make(str(self.folder), purge_step=step)
        for name, number in numbers.items():
            self._open.add_scalar(name, number, step)
        self._open.flush()

    def close(self) -> None:
        """End the file; another call begins a new one."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigurationError(
            f"TensorBoard needs the package tensorboard ({error}): pip install ebmlab[log]"
        ) from error
    return SummaryWriter
