"""Text files that change only when their text does, so that Sphinx reads again what is new."""

import inspect
from pathlib import Path
from typing import Any

__all__ = ["first_sentence", "heading", "put", "sweep"]

_written: set[Path] = set()


def put(path: Path, text: str) -> None:
    """Write a page unless it is there already."""
    text = text.rstrip() + "\n"
    _written.add(path)
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def sweep(folder: Path) -> None:
    """Remove the pages of what there is no more."""
    for path in set(folder.glob("*.md")) - _written:
        path.unlink()


def heading(text: str, level: int = 1) -> str:
    """A heading of MyST."""
    return f"{'#' * level} {text}\n\n"


def first_sentence(value: Any) -> str:
    """What a docstring says first; it is one line in this library."""
    text = (inspect.getdoc(value) or "").strip().split("\n\n")[0]
    return " ".join(text.split())
