"""All numbers of a training run, each in a panel of its own."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.style import PALETTE, opened, prepared, style

__all__ = ["history"]

_COLUMNS, _FEW = 3, 12


@style()
def history(
    columns: Mapping[str, Sequence[float]], steps: Sequence[float], *, title: str | None = None
) -> Figure:
    """Every number over the steps, each on a scale of its own; gaps where one is NaN.

    Args:
        columns: name -> (n,), as `fit(…).history` holds them.
        steps: (n,).
        title: above all panels.

    Raises:
        ConfigurationError: there are no columns.
        ShapeError: a column is not as long as steps.

    Example:
        >>> figure = history({"loss": [3.0, 2.0], "rank": [1.0, 4.0]}, [10, 20])
        >>> [ax.get_title() for ax in figure.axes]
        ['loss', 'rank']
    """
    if not columns:
        raise ConfigurationError("columns is empty; expected at least one")
    # Four panels make a square rather than a row and one below.
    wide = 2 if len(columns) == 4 else min(_COLUMNS, len(columns))
    high = math.ceil(len(columns) / wide)
    figure = Figure(figsize=(2.4 * wide + 0.4, 1.7 * high + 0.4), layout="constrained")
    for k, (name, column) in enumerate(columns.items()):
        if len(column) != len(steps):
            raise ShapeError(f"{name} has {len(column)} numbers for {len(steps)} steps")
        ax = prepared(figure.add_subplot(high, wide, k + 1))
        values = np.asarray(column, dtype=float)
        # A few points are drawn as points, and so are those between gaps: one has no line.
        mark = "o" if len(steps) <= _FEW or _alone(values) else ""
        ax.plot(steps, values, color=PALETTE[0], linewidth=1.2, marker=mark, markersize=2.5)
        opened(ax, grid=True).set_title(name, fontsize=9)
        ax.ticklabel_format(axis="y", useOffset=False)
        if k >= len(columns) - wide:
            ax.set_xlabel("step")
    if title is not None:
        figure.suptitle(title, fontsize=10)
    return figure


def _alone(values: np.ndarray) -> bool:
    """Whether a number stands between two that are missing."""
    known = np.pad(np.isfinite(values), 1)
    return bool((known[1:-1] & ~known[:-2] & ~known[2:]).any())
