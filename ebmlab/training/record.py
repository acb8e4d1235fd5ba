"""What a training run leaves: a history in memory, and a line of JSON for each record."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from ebmlab._ranks import means, rank_count
from ebmlab.errors import FileError, ShapeError
from ebmlab.protocols import Loss

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
        file: TextIO | None = None,
        seconds: float = 0.0,
        loggers: Iterable[Callable[[int, Mapping[str, float]], object]] = (),
    ) -> None:
        self.history: dict[str, list[float]] = {}
        self._file, self._loggers = file, tuple(loggers)
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
        if self._file is not None:
            line = {
                "step": step,
                "seconds": round(time.perf_counter() - self._start, 3),
                "value": _json(value),
                **{g: {name: _json(v) for name, v in each.items()} for g, each in groups.items()},
                "skipped": skipped,
            }
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
        for log in self._loggers:
            log(step, {name: number for name, number in row.items() if name != "step"})


@contextmanager
def recording(
    out: str | Path | None,
    start: int = 0,
    loggers: Iterable[Callable[[int, Mapping[str, float]], object]] = (),
) -> Iterator[Record]:
    """A record that also writes `out`/metrics.jsonl, whole after every line; None: no file.

    Lines of an earlier run stay up to its step `start`, and the seconds go on from there.
    """
    if out is None:
        yield Record(loggers=loggers)
        return
    path = Path(out) / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = read_record(path, start) if start and path.exists() else []
    with path.open("w", buffering=1, encoding="utf-8") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in kept)
        yield Record(file, kept[-1]["seconds"] if kept else 0.0, loggers)


def over_ranks(loss: Loss) -> Loss:
    """The loss with the mean over the ranks of its value, and of each term and metric."""
    if rank_count() == 1:
        return loss
    parts = {"": {"value": loss.value}, "term": loss.terms, "metric": loss.metrics}
    own = {(part, n): _number(n, t) for part, each in parts.items() for n, t in each.items()}
    found = {key: torch.tensor(mean) for key, mean in means(own).items()}
    terms, metrics = ({n: found[part, n] for n in parts[part]} for part in ("term", "metric"))
    return loss._replace(value=found["", "value"], terms=terms, metrics=metrics)


def read_record(path: Path, start: int | None = None) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl, up to step `start`; an unfinished last line is left out.

    Raises:
        FileError: the file is missing, or holds something else.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        records = [json.loads(line) for line in lines]
        return [line for line in records if start is None or line["step"] <= start]
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is no record of a training run: {error!r}") from error


def _number(name: str, tensor: Tensor) -> float:
    if tensor.numel() != 1:
        raise ShapeError(
            f"{name} has shape {tuple(tensor.shape)}; terms and metrics of a Loss are scalars: "
            "reduce it, as with .mean()"
        )
    return float(tensor.detach())


def _json(number: float) -> float | None:
    return number if math.isfinite(number) else None
