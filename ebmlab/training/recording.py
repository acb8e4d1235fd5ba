"""`Recording`: what is seen of a run, and where it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ebmlab._checks import require_counts
from ebmlab.training.watch import Watch

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording:
    """What `fit` records, shows and calls.

    Args:
        out: a folder for `metrics.jsonl`, one line for each recorded step: step, seconds, value,
            terms, metrics, skipped; null where a number is not finite.
        every: record every so many steps, and the last.
        watch: called at the recorded steps, after commit, with (method, batch, loss); the numbers
            it returns are recorded as metrics. `metrics.Collapse()` warns of collapse.
        loggers: each called with (step, numbers) at the recorded steps.
        progress: show a bar, on a terminal or in a notebook.
        title: what the bar says.
        after: called with the number of each step once all state is whole; True ends the run
            there.

    A watch or a logger with `state_dict` and `load_state_dict` is kept with the run.

    Raises:
        ConfigurationError: `every` is not a positive integer.

    Example:
        >>> Recording(every=50).every
        50
    """

    out: str | Path | None = None
    every: int = 10
    watch: Watch | None = None
    loggers: tuple[Callable[[int, Mapping[str, float]], object], ...] = ()
    progress: bool = True
    title: str = "training"
    after: Callable[[int], bool] | None = None

    def __post_init__(self) -> None:
        require_counts(every=self.every)
