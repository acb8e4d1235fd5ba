"""All races on one page: ours beside the best peer, from the tables in benchmarks/results.

    python benchmarks/summary.py

A line for each case of each table that `run.py` writes, and of `objectives.py`. The best peer is
the one that leaves us the smallest ratio: of effective draws a second where there are any, else of
times. Another way of our own is no peer, and stands in where there is none. Lines where we are
behind stay. Tables that are no races are named with their command, date and commit.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
# Names of contenders that are another way of ours.
OWN = ("ebmlab", "Contrastive")
HEAD = ["topic", "on", "case", "ours", "best peer", "time", "ESS/s", "", "± ours", "± peer"]
HEAD += ["date", "commit"]
MARKS = {True: "", False: "behind", None: "no peer"}


class Line(NamedTuple):
    """A case: peer's time by ours, our effective draws a second by the peer's, spreads."""

    topic: str
    on: str
    case: str
    ours: str
    peer: str
    time: float | None
    ess: float | None
    spread: float | None
    peer_spread: float | None
    date: str
    commit: str

    @property
    def ratio(self) -> float | None:
        """What tells who is ahead: above 1 we are."""
        return self.time if self.ess is None else self.ess

    @property
    def ahead(self) -> bool | None:
        """None where there is no peer."""
        if self.ratio is None or self.peer.startswith(OWN):
            return None
        return self.ratio >= 1


def main() -> None:
    """Write SUMMARY.md beside the tables."""
    (RESULTS / "SUMMARY.md").write_text(summary(RESULTS))


def summary(folder: Path) -> str:
    """The page that belongs to the tables of a folder."""
    tables = {path: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    lines = [line for table in tables.values() for line in raced(table)]
    kinds = [line.ahead for line in lines]
    return "\n".join(
        [
            "# All races",
            "",
            "Written by `python benchmarks/summary.py` from the tables beside it; "
            "[benchmarks/README.md](../README.md) tells how each is made again.",
            "",
            "time is the peer's by ours, ESS/s ours by the peer's: above 1 we are ahead. ± is the "
            "largest less the smallest turn, in percent of the median.",
            "",
            f"Ahead of the best peer in {kinds.count(True)} of {len(lines)} cases, behind in "
            f"{kinds.count(False)}; {kinds.count(None)} have no peer.",
            "",
            *markdown(HEAD, [cells(line) for line in lines]),
            "",
            "## Tables that are no races",
            "",
            *markdown(
                ["table", "command", "date", "commit"],
                [row for path, table in tables.items() for row in named(path, table)],
            ),
            "",
        ]
    )


def raced(table: dict[str, Any]) -> Iterator[Line]:
    """A line for each case, in the order of the table; none where it is no race."""
    rows = table.get("rows")
    if not isinstance(rows, list) or not rows:
        return
    if "package" in rows[0]:
        rows = [row for row in map(_of_objective, rows) if row["ratio"] is not None]
    if "ours" not in rows[0]:
        return
    for (topic, case, ours), group in groupby(rows, lambda r: (r["topic"], r["case"], r["ours"])):
        best = min(group, key=_rank)
        yield Line(
            topic,
            "CUDA" if "--device cuda" in table["command"] else "CPU",
            case,
            ours,
            best["peer"],
            best["ratio"],
            best["ess_ratio"],
            _percent(best["spread"], best["seconds"]),
            _percent(best["peer_spread"], best["peer_seconds"]),
            table["date"],
            table["commit"],
        )


def _of_objective(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `objectives.py`, whose turns are not kept, as one of a race."""
    blank = dict.fromkeys(("ess_ratio", "seconds", "spread", "peer_seconds", "peer_spread"))
    case = f"{row['objective']}, {row['data']}, one step"
    names = {"topic": "objectives", "case": case, "ours": "ebmlab", "peer": row["package"]}
    return {**blank, **names, "ratio": row["ratio"]}


def _rank(row: dict[str, Any]) -> tuple[bool, float]:
    """Peers before ways of our own, the hardest first."""
    ratio = row["ratio"] if row["ess_ratio"] is None else row["ess_ratio"]
    return row["peer"].startswith(OWN), float("inf") if ratio is None else ratio


def _percent(spread: float | None, seconds: float | None) -> float | None:
    return None if spread is None or not seconds else 100 * spread / seconds


def named(path: Path, table: dict[str, Any]) -> Iterator[list[str]]:
    """Name, command, date and commit of each part of a table that is no race."""
    if any(raced(table)):
        return
    page = path.with_suffix(".md")
    shown = f"[{path.stem}]({page.name if page.exists() else path.name})"
    for part in (table, *table.values()):
        if isinstance(part, dict) and "commit" in part:
            command = part["command"].replace("|", "\\|")
            yield [shown, f"`{command}`", part["date"], part["commit"]]


def cells(line: Line) -> list[str]:
    """A line as it is shown."""
    numbers = [_number(line.time), _number(line.ess)]
    spreads = [
        "–" if each is None else f"{each:.0f} %" for each in (line.spread, line.peer_spread)
    ]
    names = [line.topic, line.on, line.case, line.ours, line.peer or "–"]
    return [*names, *numbers, MARKS[line.ahead], *spreads, line.date, line.commit]


def _number(value: float | None, form: str = ".4g", unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """Rows as a Markdown table."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in [head, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


if __name__ == "__main__":
    main()
