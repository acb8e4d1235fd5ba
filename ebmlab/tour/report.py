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

__all__ = ["Picture", "Report"]

COLUMNS = {
    "nll_above_truth": "NLL above the truth (nats)",
    "branch_recall": "branch recall",
    "branch_precision": "branch precision",
    "temperature": "fitted T",
    "code_std": "std of codes",
    "effective_rank": "effective rank",
}

STYLE = """
:root { color-scheme: light; }
body { font: 17px/1.55 Charter, Georgia, serif; color: #1d2433; background: #fff;
  max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 2.1rem; line-height: 1.15; margin: 0 0 .3rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .6rem; }
p { max-width: 42rem; } p.lead { font-size: 1.15rem; color: #46506a; }
figure { margin: 1.4rem 0; } img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: #46506a; max-width: 46rem; }
table { border-collapse: collapse; font: 14px/1.4 system-ui, sans-serif; width: 100%; }
th, td { padding: .45rem .7rem; text-align: right; border-bottom: 1px solid #e3e7ef; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; color: #46506a; }
dt { font-weight: 600; margin-top: .7rem; } dd { margin: 0; max-width: 42rem; }
code { font-size: .88em; } .note { color: #8a3b12; font-weight: 600; }
footer { margin-top: 4rem; font-size: .85rem; color: #6b7489; }
"""


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
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>ebmlab tour</title><style>{STYLE}</style></head><body>"
            "<h1>One relation, many answers</h1>"
            '<p class="lead">One scalar, E(x, y, z), says how badly things fit together. Here the '
            "same pairs (x, y), where one x has up to three right y, are given to six families of "
            "energies. Each panel is the energy that came out.</p>"
            f"{state}{self._table_html()}{self._lessons()}"
            f"{''.join(self._figure(p) for p in self.pictures)}"
            f"{self._digits_html()}{METHOD}<footer>{html.escape(settings)}</footer></body></html>"
        )

    def _table_html(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("family", *COLUMNS.values()))
        return f"<table><thead><tr>{head}</tr></thead>{_body(self._rows())}</table>"

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
            f'<img alt="{html.escape(picture.title)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(picture.caption)}</figcaption></figure>"
        )

    def _digits_html(self) -> str:
        if not self.digits:
            return ""
        rows = [[name.replace("_", " "), _number(value)] for name, value in self.digits.items()]
        return f"<h2>Real digits, held-out results</h2><table>{_body(rows)}</table>"


METHOD = """<h2>How the results are made</h2>
<p>The conditional likelihood is exact: exp(-E/T) is normalized over y on a grid for each x. The
temperature T is fitted on validation pairs, the likelihood measured on test pairs, and the true
density's own subtracted. Branches are the local minima of E(x, ·) within 5 T of the lowest,
at 41 x in [0.45, 0.55], compared with the noise-free right answers (tolerance 0.05). A minimum
over z has one noise width for all branches, while the true width differs from branch to branch:
its likelihood cannot reach the truth. Codes are those of held-out x.</p>"""


def _cells(results: dict[str, float]) -> list[str]:
    return [_number(results.get(name)) for name in COLUMNS]


def _body(rows: list[list[str]]) -> str:
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return f"<tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody>"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 0.01 else f"{value:.3f}"
