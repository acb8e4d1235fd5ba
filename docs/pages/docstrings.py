"""Docstrings are plain text with formulas; here they become what Sphinx reads."""

import re
from typing import Any

from ebmlab.cli.cards import shared_arguments

__all__ = ["colons", "plain", "undocumented", "whole"]

CODE = re.compile(r"(`[^`]*`)")
SPECIAL = re.compile(r"(?<!\\)([*|])|(?<=\w)_(?!\w)")
PAPER = re.compile(r"arXiv:((?:\d{4}\.\d{4,5})|(?:[a-z-]+/\d{7}))")
SHARED = "Args beside those that recipes share:"
TOGETHER = re.compile(r"^    \*{0,2}\w+(, \*{0,2}\w+)+:")
COLON = "\ue000"  # stands for a colon while Napoleon reads


def escaped(text: str) -> str:
    """Stars, bars and final underscores mean themselves, papers are links."""
    text = SPECIAL.sub(lambda found: "\\" + found.group(0), text)
    return PAPER.sub(r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", text)


def whole(recipe: Any, lines: list[str]) -> list[str]:
    """A recipe's docstring with the arguments that all recipes share, which it leaves out."""
    shared = shared_arguments(recipe)
    if SHARED not in lines:
        return [*lines, "", "Args:", *shared, ""] if shared else lines
    at = lines.index(SHARED)
    return [*lines[:at], "Args:", *shared, *lines[at + 1 :]]


def plain(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Escape all but code: what stands in backticks, and examples up to the next blank line.

    Values have the words of their class, which speak of any such value: they are left out.
    Napoleon would take what stands before a colon for the type of a value: it sees none.
    """
    if what == "data" and getattr(value, "__doc__", None) == type(value).__doc__:
        lines[:] = []
    example, out = False, []
    for raw in whole(value, lines) if name.startswith("ebmlab.methods.") else lines:
        # Sphinx takes the first of two names for a type.
        line = TOGETHER.sub(lambda found: found.group(0).replace(", ", ","), raw)
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        halves = [line] if example else CODE.split(line)
        out.append("".join(h if example or h.startswith("`") else escaped(h) for h in halves))
    if out and what in {"property", "attribute", "data"}:
        out[0] = out[0].replace(":", COLON)
    lines[:] = out


def colons(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Put back what `plain` hid from Napoleon."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def undocumented(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool:
    """Leave out what has no docstring of its own, and what only torch calls."""
    return skip or not getattr(value, "__doc__", None) or name in {"extra_repr", "training"}
