"""Docstrings are plain text with formulas; here they become what Sphinx reads."""

import re
from typing import Any

__all__ = ["plain", "undocumented"]

CODE = re.compile(r"(`[^`]*`)")
SPECIAL = re.compile(r"(?<!\\)([*|])|(?<=\w)_(?!\w)")
PAPER = re.compile(r"arXiv:((?:\d{4}\.\d{4,5})|(?:[a-z-]+/\d{7}))")


def escaped(text: str) -> str:
    """Stars, bars and final underscores mean themselves, papers are links."""
    text = SPECIAL.sub(lambda found: "\\" + found.group(0), text)
    return PAPER.sub(r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", text)


def plain(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Escape all but code: what stands in backticks, and examples up to the next blank line."""
    example, out = False, []
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        halves = [line] if example else CODE.split(line)
        text = "".join(h if example or h.startswith("`") else escaped(h) for h in halves)
        out.append(text)
    lines[:] = out


def undocumented(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool:
    """Leave out what has no docstring of its own, and what only torch calls."""
    return skip or not getattr(value, "__doc__", None) or name in {"extra_repr", "training"}
