"""Pictures of a run: its curves, and what its kind shows."""

from pathlib import Path
from typing import Any

from ebmlab import plot
from ebmlab.errors import FileError
from ebmlab.runs.kind import Sketch, saved
from ebmlab.runs.kinds import kind_of
from ebmlab.runs.restore import restore
from ebmlab.training.record import RECORD, read_record

__all__ = ["draw"]


def draw(run: Path, *, data: str | None = None, device: str | None = None) -> list[Path]:
    """Write curves.png and the pictures of the run's kind into its folder.

    Of images these are their codes, the codes' spectrum and reconstructions, of points the
    landscape with data and samples, and a film of it.

    Args, Raises: as in `evaluate`.
    """
    config, built, kept = restore(run, device)
    records = read_record(run / RECORD)
    if not records:
        raise FileError(f"{run / RECORD} holds no step; go on with `ebmlab train … --resume`")
    title = f"{config.method} on {Path(data or config.data).name}, step {kept.step}"
    sketch = Sketch(title, kept.frames, data)
    pictures = kind_of(config.method).draw(built, run, sketch)
    curves = plot.history(*_columns(records), title=title)
    return [*saved(run, {"curves": curves}), *pictures]


def _columns(records: list[dict[str, Any]]) -> tuple[dict[str, list[float]], list[float]]:
    """Numbers by name over the recorded steps, NaN where a step lacks one.

    Those that are the loss by another name are left out.
    """
    rows = [{"loss": r["value"], **r["terms"], **r["metrics"]} for r in records]
    names = dict.fromkeys(name for row in rows for name in row)
    rows = [{k: v for k, v in row.items() if v is not None} for row in rows]
    columns = {name: [float(row.get(name, "nan")) for row in rows] for name in names}
    loss = columns.pop("loss")
    others = {name: column for name, column in columns.items() if column != loss}
    return {"loss": loss, **others}, [float(record["step"]) for record in records]
