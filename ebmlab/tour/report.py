"""The tour's report: metrics.json, a table for the terminal, and one self-contained page."""

import base64
import html
import json
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ebmlab.tour.relation import Trained
from ebmlab.tour.words import AFTER, DIGITS, LEAD, METHOD, STYLE, TABLE, WORDS

__all__ = ["Picture", "Report"]

COLUMNS = {
    "nll_above_truth": "NLL above the truth (nats)",
    "branch_recall": "right answers found",
    "branch_precision": "answers that are right",
    "temperature": "T",
    "code_std": "std of codes",
    "effective_rank": "effective rank",
}


@dataclass(frozen=True)
class Picture:
    """A PNG of the report with its heading and caption."""

    name: str
    title: str
    caption: str


@dataclass
class Report:
    """Collects results as they come, so that what is done can be written at any moment."""

    out: Path
    settings: dict[str, Any]
    splits: dict[str, int] = field(default_factory=dict)
    truth: dict[str, float] = field(default_factory=dict)
    trained: list[Trained] = field(default_factory=list)
    digits: dict[str, float] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    complete: bool = False

    def write(self) -> None:
        """Write metrics.json and index.html into the folder, where the PNGs are."""
        metrics = {
            "complete": self.complete,
            "settings": self.settings,
            "machine": {"python": platform.python_version(), "torch": torch.__version__},
            "splits": self.splits,
            "truth": self.truth,
            "families": {t.family.key: t.results for t in self.trained},
            "digits": self.digits,
        }
        (self.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        (self.out / "index.html").write_text(self._page(), encoding="utf-8")

    def table(self) -> str:
        """The results of the families, for a terminal."""
        rows = [["family", *COLUMNS.values()], *self._rows()]
        first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [
            "  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]) for row in rows
        ]
        lines.insert(1, "-" * len(lines[0]))
        lines += [f"digits: {name} = {_number(value)}" for name, value in self.digits.items()]
        return "\n".join(lines)

    def _rows(self) -> list[list[str]]:
        return [[t.family.title, *_cells(t.results)] for t in self.trained]

    def _page(self) -> str:
        state = "" if self.complete else '<p class="note">Interrupted: this is what was done.</p>'
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        drawn = {picture.name: self._figure(picture) for picture in self.pictures}
        first = "".join(drawn.get(name, "") for name in ("data", "regression"))
        last = "".join(drawn.get(name, "") for name in ("cut", "temperature"))
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>ebmlab tour</title><style>{STYLE}</style></head><body><main>"
            f"<h1>One question, many answers</h1>{LEAD}{state}{first}"
            f"{WORDS}{drawn.get('families', '')}{self._lessons()}{last}{self._table_html()}"
            f"{drawn.get('digits', '')}{self._digits_html()}{AFTER}{METHOD}"
            f"<footer>{html.escape(settings)}</footer></main></body></html>"
        )

    def _table_html(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in ("family", *COLUMNS.values()))
        table = f"<table><thead><tr>{head}</tr></thead>{_body(self._rows())}</table>"
        return f'{TABLE}<div class="scroll" tabindex="0">{table}</div>'

    def _lessons(self) -> str:
        items = "".join(
            f"<dt>{html.escape(t.family.title)}</dt><dd>{html.escape(t.family.lesson)}</dd>"
            for t in self.trained
        )
        return f"<h2>What to look for</h2><dl>{items}</dl>"

    def _figure(self, picture: Picture) -> str:
        data = base64.b64encode((self.out / f"{picture.name}.png").read_bytes()).decode()
        return (
            f"<h2>{html.escape(picture.title)}</h2><figure>"
            f'<div class="scroll {picture.name}">'
            f'<img alt="{html.escape(picture.caption)}" src="data:image/png;base64,{data}"></div>'
            f"<figcaption>{html.escape(picture.caption)}</figcaption></figure>"
        )

    def _digits_html(self) -> str:
        if not self.digits:
            return ""
        rows = [[DIGITS.get(name, name), _number(value)] for name, value in self.digits.items()]
        return f"<h3>Digits, in numbers</h3><table>{_body(rows)}</table>"


def _cells(results: dict[str, float]) -> list[str]:
    return [_number(results.get(name)) for name in COLUMNS]


def _body(rows: list[list[str]]) -> str:
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return f"<tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody>"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 0.01 else f"{value:.3f}"
