"""What a training run leaves: a history in memory, and a line of JSON for each record."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmlab._ranks import means, rank_count
from ebmlab.errors import FileError, ShapeError
from ebmlab.protocols import Loss
from ebmlab.training.folder import Folder
from ebmlab.training.lines import Line

__all__ = ["RECORD", "Record", "over_ranks", "read_record", "recording"]

RECORD = "metrics.jsonl"


class Record:
    """Columns of numbers over the recorded steps, and the same as lines of JSON.

    `history` has the columns "step", "value", and one for each term and each metric of the
    losses; a metric whose name is taken is called "metrics.<name>". All columns are equally
    long: NaN stands where a step did not have the number. JSON has null for what is not finite.
    """

    def __init__(
        self,
        folder: Folder | None = None,
        seconds: float = 0.0,
        loggers: Iterable[Callable[[int, Mapping[str, float]], object]] = (),
    ) -> None:
        self.history: dict[str, list[float]] = {}
        self._folder, self._loggers = folder, tuple(loggers)
        self._start = time.perf_counter() - seconds

    def add(self, step: int, loss: Loss, skipped: int) -> None:
        """Note one step; here, and only here, the numbers are brought to the host."""
        value = _number("value", loss.value)
        groups = {
            group: {name: _number(name, number) for name, number in numbers.items()}
            for group, numbers in (("terms", loss.terms), ("metrics", loss.metrics))
        }
        row: dict[str, float] = {"step": step, "value": value}
        for group, numbers in groups.items():
            for name, number in numbers.items():
                row[f"{group}.{name}" if name in row else name] = number
        count = len(self.history.get("step", ()))
        for name in [*self.history, *(name for name in row if name not in self.history)]:
            self.history.setdefault(name, [math.nan] * count).append(row.get(name, math.nan))
        if self._folder is not None:
            line = {
                "step": step,
                "seconds": round(time.perf_counter() - self._start, 3),
                "value": _json(value),
                **{g: {name: _json(v) for name, v in each.items()} for g, each in groups.items()},
                "skipped": skipped,
            }
            self._folder.append(RECORD, line)
        for log in self._loggers:
            log(step, {name: number for name, number in row.items() if name != "step"})


@contextmanager
def recording(
    out: str | Path | None,
    start: int = 0,
    loggers: Iterable[Callable[[int, Mapping[str, float]], object]] = (),
    due: Callable[[int], bool] = lambda step: True,
) -> Iterator[Record]:
    """A record that also writes `out`/metrics.jsonl, whole after every line; None: no file.

    Lines of an earlier run stay up to its step `start`, the last of those that are `due`, and the
    seconds go on from there. No other run can go on in the folder meanwhile.
    """
    if out is None:
        yield Record(loggers=loggers)
        return
    with Folder(out).locked() as folder:
        kept = _lines(folder, RECORD, start) if start and folder.holds(RECORD) else []
        # What was recorded only as a run was stopped is not as if it had not been.
        while kept and not due(kept[-1].values["step"]):
            kept.pop()
        folder.cut(RECORD, kept)
        try:
            yield Record(folder, kept[-1].values["seconds"] if kept else 0.0, loggers)
        except BaseException:
            # What ended the run is worth more than what the full disk says of the record.
            with suppress(FileError):
                folder.seal()
            raise
        folder.seal()


def over_ranks(loss: Loss) -> Loss:
    """The loss with the mean over the ranks of its value, and of each term and metric."""
    if rank_count() == 1:
        return loss
    parts = {"": {"value": loss.value}, "term": loss.terms, "metric": loss.metrics}
    own = {(part, n): _number(n, t) for part, each in parts.items() for n, t in each.items()}
    found = {key: torch.tensor(mean, dtype=torch.float64) for key, mean in means(own).items()}
    terms, metrics = ({n: found[part, n] for n in parts[part]} for part in ("term", "metric"))
    return loss._replace(value=found["", "value"], terms=terms, metrics=metrics)


def read_record(path: Path, start: int | None = None) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl, up to step `start`; an unfinished last line is left out.

    Raises:
        FileError: the file is missing, damaged, or holds something else.
    """
    return [line.values for line in _lines(Folder(path.parent), path.name, start)]


def _lines(folder: Folder, name: str, start: int | None) -> list[Line]:
    lines = folder.lines(name)
    for number, line in enumerate(lines, 1):
        if not _sound(line.values):
            raise FileError(
                f"{folder.path / name} is no record of a training run: its line {number} lacks "
                "a step, seconds, a value, terms or metrics, or has something else for them"
            )
    return list(takewhile(lambda line: start is None or line.values["step"] <= start, lines))


def _sound(line: dict[str, Any]) -> bool:
    counts = [line.get(name) for name in ("step", "skipped")]
    seconds, numbers = line.get("seconds"), [line.get("value", "")]
    for group in (line.get("terms"), line.get("metrics")):
        if not isinstance(group, dict):
            return False
        numbers += group.values()
    return (
        all(type(count) is int and count >= 0 for count in counts)
        and type(seconds) in (int, float)
        and all(number is None or type(number) in (int, float) for number in numbers)
    )


def _number(name: str, tensor: Tensor) -> float:
    if tensor.numel() != 1:
        raise ShapeError(
            f"{name} has shape {tuple(tensor.shape)}; terms and metrics of a Loss are scalars: "
            "reduce it, as with .mean()"
        )
    return float(tensor.detach())


def _json(number: float) -> float | None:
    return number if math.isfinite(number) else None
