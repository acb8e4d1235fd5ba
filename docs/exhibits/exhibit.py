"""The exhibit of a part at work, and the axes it is drawn on."""

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ebmlab.plot import style
from pictures.exhibit import Exhibit

__all__ = ["Exhibit", "panels", "shown"]


def shown(run: Callable[[], Any], picture: Callable[..., Figure], caption: str) -> Exhibit:
    """The exhibit of a function: `picture` draws what `run` returns; its source is the code."""
    return Exhibit(run, style()(picture), caption)


def panels(*widths: float) -> tuple[Figure, list[Axes]]:
    """A row of axes in the one size of all exhibits."""
    figure = Figure(figsize=(7.0, 2.9), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)
