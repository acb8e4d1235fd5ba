"""`Exhibit`: a picture of one part at work, its caption, and the lines that make what it shows."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ebmlab.plot import style

__all__ = ["Exhibit", "panels", "shown"]


class Exhibit(NamedTuple):
    """What draws the picture, what to see in it, and the source of what it shows."""

    draw: Callable[[], Figure]
    caption: str
    code: str


def shown(run: Callable[[], Any], picture: Callable[..., Figure], caption: str) -> Exhibit:
    """The exhibit of a function: `picture` draws what `run` returns; its source is the code."""

    @style()
    def draw() -> Figure:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # weights of networks
            return picture(run())

    return Exhibit(draw, caption, textwrap.dedent(inspect.getsource(run)))


def panels(*widths: float) -> tuple[Figure, list[Axes]]:
    """A row of axes in the one size of all exhibits."""
    figure = Figure(figsize=(7.0, 2.9), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)
