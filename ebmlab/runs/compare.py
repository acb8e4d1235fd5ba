"""Several runs on one page: curves, where they were started otherwise, what they are worth."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from ebmlab.errors import ConfigurationError, FileError
from ebmlab.plot.page import key, page, table
from ebmlab.plot.panel import Points, panel
from ebmlab.runs.config import Config, read_config
from ebmlab.runs.evaluate import EVALUATION
from ebmlab.runs.kinds import kind_of
from ebmlab.training.folder import Folder
from ebmlab.training.record import RECORD, read_record

__all__ = ["Comparison", "compare"]

NONE = "–"


class Comparison(NamedTuple):
    """What `compare` returns: the page, and what could not be read of which runs, in words."""

    page: Path
    missing: list[str]


class Told(NamedTuple):
    """What a run's folder tells.

    Attributes:
        name: of the folder, or its path where another has that name.
        curves: numbers by name over the recorded steps, None where one was not finite.
        judged: what `evaluate` wrote; None where it has not.
    """

    name: str
    config: Config
    seconds: float
    curves: Mapping[str, Points]
    judged: dict[str, Any] | None


def compare(runs: Sequence[Path], out: Path) -> Comparison:
    """Write one page of HTML that holds all it shows and loads nothing.

    It shows every recorded number on axes that the runs share, a table of the arguments in which
    they differ, and their numbers on held-out data where `evaluate` was called. Runs may be of
    different kinds. What is damaged is named on the page, and the rest is shown.

    Args:
        runs: folders of `train`; one given twice counts once.
        out: the page, which ends in .html.

    Raises:
        ConfigurationError: out ends otherwise.
        FileError: none of the folders holds a run that can be read, or out cannot be written.
    """
    if out.suffix != ".html":
        raise ConfigurationError(f"out is {out.name}; a page ends in .html")
    told: list[Told] = []
    missing: list[str] = []
    folders = list({run.resolve(): run for run in runs}.values())
    for run, name in zip(folders, _names(folders), strict=True):
        try:
            told.append(_told(run, name, missing))
        except FileError as error:
            missing.append(str(error))
    if not told:
        raise FileError("; ".join(missing) or "there are no runs to compare")
    text = _page(told, missing)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # A folder's name may hold bytes that are no text.
        out.write_bytes(text.encode("utf-8", "replace"))
    except OSError as error:
        raise FileError(f"{out} was not written ({error}); choose another --out") from error
    return Comparison(out, missing)


def _names(folders: Sequence[Path]) -> list[str]:
    short = [run.resolve().name for run in folders]
    pairs = zip(folders, short, strict=True)
    return [name if short.count(name) == 1 else str(run) for run, name in pairs]


def _told(run: Path, name: str, missing: list[str]) -> Told:
    config = read_config(run)
    lines = read_record(run / RECORD) if (run / RECORD).exists() else []
    judged = None
    try:
        judged = _judged(run)
    except FileError as error:
        missing.append(str(error))
    seconds = float(lines[-1]["seconds"]) if lines else 0.0
    return Told(name, config, seconds, _curves(lines), judged)


def _judged(run: Path) -> dict[str, Any] | None:
    path = run / EVALUATION
    if not path.exists():
        return None
    try:
        found = json.loads(Folder(run).read(EVALUATION))
        numbers = {str(name): float(value) for name, value in found["numbers"].items()}
        return {"settings": dict(found["settings"]), "numbers": numbers}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path} is no evaluation of a run: {error!r}") from error


def _curves(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Points]:
    """A column for each number, at the steps that have it; copies of the loss are left out."""
    columns: dict[str, tuple[list[float], list[float | None]]] = {}
    for line in lines:
        for name, value in {"loss": line["value"], **line["terms"], **line["metrics"]}.items():
            steps, values = columns.setdefault(name, ([], []))
            steps.append(line["step"])
            values.append(value)
    loss = columns.get("loss")
    return {name: each for name, each in columns.items() if name == "loss" or each != loss}


def _page(told: Sequence[Told], missing: Sequence[str]) -> str:
    keys = "".join(key(i, run.name, _about(run)) for i, run in enumerate(told))
    parts = [
        f'<ul class="keys">{keys}</ul>',
        *(f'<p class="note">{escape(line)}</p>' for line in missing),
        "<h2>Curves</h2>",
        *_panels(told),
        "<h2>How they were started</h2>",
        *_configurations(told),
        "<h2>On held-out data</h2>",
        *_evaluations(told),
    ]
    many = f"{len(told)} runs" if len(told) > 1 else "One run"
    lead = (
        "Each panel shows one recorded number over the steps. Losses of different methods, and "
        "energies, are on scales of their own: compare their shapes, not their heights."
    )
    return page(many, lead, parts, len(told))


def _about(run: Told) -> str:
    steps = max((int(points[0][-1]) for points in run.curves.values()), default=0)
    length = f"{steps:,} steps in {run.seconds:,.0f} s" if steps else "no step recorded yet"
    return f"{run.config.method} on {run.config.data}, {length}"


def _panels(told: Sequence[Told]) -> list[str]:
    """What several runs have, the loss first; below, folded where there is more, the others'."""
    names = dict.fromkeys(name for run in told for name in run.curves)
    of = {
        name: {i: (run.name, run.curves[name]) for i, run in enumerate(told) if name in run.curves}
        for name in ["loss", *(name for name in names if name != "loss")]
        if any(_drawable(run.curves.get(name)) for run in told)
    }
    shared = [panel(name, of[name]) for name in of if len(of[name]) > 1 or len(told) == 1]
    alone = [panel(name, of[name]) for name in of if len(of[name]) == 1 and len(told) > 1]
    parts = [_grid(shared)] if shared else ["<p>No number is recorded by more than one run.</p>"]
    if alone:
        count = f"{len(alone)} numbers" if len(alone) > 1 else "A number"
        opened = "" if shared else " open"
        parts.append(
            f"<details{opened}><summary>{count} that one run alone has</summary>{_grid(alone)}"
            "</details>"
        )
    return parts


def _drawable(points: Points | None) -> bool:
    return points is not None and any(value is not None for value in points[1])


def _grid(panels: Sequence[str]) -> str:
    return f'<div class="panels">{"".join(panels)}</div>'


def _configurations(told: Sequence[Told]) -> list[str]:
    every = [{k: _shown(v) for k, v in asdict(run.config).items()} for run in told]
    differ = [k for k in every[0] if len({config[k] for config in every}) > 1]
    alike = ", ".join(f"{k} {v}" for k, v in every[0].items() if k not in differ)
    parts = [f"<p>{'Alike in all: ' if len(told) > 1 else ''}{escape(alike)}.</p>"]
    if differ:
        lines = [[run.name, *(c[k] for k in differ)] for run, c in zip(told, every, strict=True)]
        parts.insert(0, table([["", *differ], *lines]))
    return parts


def _evaluations(told: Sequence[Told]) -> list[str]:
    """A table for each kind of runs, as their numbers are others."""
    groups: dict[str, list[Told]] = {}
    for run in told:
        if run.judged is not None:
            groups.setdefault(kind_of(run.config.method).noun, []).append(run)
    parts = [
        f"{f'<h3>{noun.capitalize()}</h3>' if len(groups) > 1 else ''}{_judgments(group)}"
        for noun, group in groups.items()
    ]
    without = ", ".join(run.name for run in told if run.judged is None)
    if without:
        parts.append(f"<p>Not evaluated: {escape(without)}; <code>ebmlab evaluate RUN</code>.</p>")
    return parts


def _judgments(told: Sequence[Told]) -> str:
    found = [run.judged for run in told if run.judged is not None]
    names = dict.fromkeys(name for each in found for name in each["numbers"])
    settings = {"data": "data", "after step": "step"}
    rows = [["", *(run.name for run in told)]]
    rows += [
        [label, *(_shown(f["settings"].get(k)) for f in found)] for label, k in settings.items()
    ]
    rows += [[name, *(_shown(f["numbers"].get(name)) for f in found)] for name in names]
    return table(rows)


def _shown(value: object) -> str:
    if value is None:
        return NONE
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
