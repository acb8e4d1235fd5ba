"""Columns of text on a terminal."""

from collections.abc import Sequence

__all__ = ["aligned", "number"]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, each column as wide as its widest cell; the first row is the heading.

    Example:
        >>> print(aligned([["name", "of"], ["a", "letter"]]))
        name  of
        ----  ------
        a     letter
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    heading, *body = rows
    lines = [heading, ["-" * width for width in widths], *body]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def number(value: float) -> str:
    """A number to four digits.

    Example:
        >>> number(0.98333), number(12.0), number(-1234.567)
        ('0.9833', '12', '-1235')
    """
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
