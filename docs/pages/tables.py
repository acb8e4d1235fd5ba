"""Recorded tables: a page for each, the page of all races, and the rows that speak of a method."""

import re
from pathlib import Path

from pages.writing import heading, put

__all__ = ["RESULTS", "rows_of", "write"]

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
WORDS = (
    "Recorded on the machines that the tables name, not when these pages were built. Each names "
    "its command, versions, commit and spread; the races that we lose "
    "stand beside those that we win. "
)
MOST = 6  # rows of one table on a page


def cells(line: str) -> list[str]:
    """What a row of a table holds."""
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]


def rows_of(name: str) -> str:
    """The rows that speak of a method, under their headers, table by table; "" where none does."""
    text = ""
    for path in sorted(RESULTS.glob("*.md")):
        if path.stem == "SUMMARY":
            continue
        header, found = [], []
        lines = path.read_text().splitlines()
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("|") and set(after) <= set("|-: ") and after:
                header = [line, after]
            elif header and line.startswith("|") and name in cells(line):
                found.append((tuple(header), line))
        if found:
            first = found[0][0]
            rows = [row for head, row in found if head == first][:MOST]
            text += f"From [{path.stem}](../tables/{path.name}):\n\n"
            text += "\n".join([*first, *rows]) + "\n\n"
    return text


def write(folder: Path) -> None:
    """Write a page for each recorded table, and the one of all races."""
    names = []
    for path in sorted(RESULTS.glob("*.md")):
        if path.stem != "SUMMARY":
            names.append(path.stem)
            put(folder / path.name, titled(path.stem, path.read_text()))
    races = (RESULTS / "SUMMARY.md").read_text().split("\n", 3)[3]
    races = re.sub(r"\[(\w+)\]\(\w+\.json\)", r"\1", races)
    how = (RESULTS.parent / "README.md").read_text().split("\n", 1)[1]
    how = re.sub(r"\]\(results/", "](", how)
    text = (
        heading("Benchmarks") + WORDS + races + "\n" + heading("How they are made again", 2) + how
    )
    listed = "\n".join(names)
    put(folder / "index.md", text + f"\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n")


def titled(name: str, text: str) -> str:
    """A table with one title, and pictures named rather than shown."""
    text = re.sub(r"^#{1,2} ", "## ", text, flags=re.MULTILINE)
    return heading(name) + re.sub(r"!\[[^]]*\]\(([^)]*)\)", r"`\1`", text)
