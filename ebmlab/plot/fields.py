"""Landscapes seen from above: one, or several side by side on one scale."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ebmlab.errors import ConfigurationError
from ebmlab.plot.chains import paths
from ebmlab.plot.scale import Scale, bar, heights, scale
from ebmlab.plot.style import DATA, ENERGY, SAMPLES, numbers, points, prepared, style
from ebmlab.slices import Landscape

__all__ = ["contour", "landscapes"]

_DARK = "#1d1841"


@style()
def contour(
    landscape: Landscape,
    ax: Axes | None = None,
    *,
    data: Tensor | None = None,
    samples: Tensor | None = None,
    trajectories: Tensor | None = None,
    arrows: bool = False,
    limits: tuple[float, float] | None = None,
    xlabel: str = "$a$",
    ylabel: str = "$b$",
    title: str | None = None,
    colorbar: bool = True,
) -> Axes:
    """A landscape from above: dark where the energy is low, lines at the color bar's ticks.

    Energies are shown above the window's minimum. Where few are very high the colors end below
    them, and the color bar is pointed.

    Args:
        landscape: what `ebmlab.landscape` returned.
        ax: where to draw; None makes a new figure.
        data: points (n, 2) in the plane's coordinates, as circles.
        samples: points (n, 2), as crosses.
        trajectories: chains (steps, chains, 2), as lines that fade into the past.
        arrows: whether to show the directions of -∇E, of one length, in the plane's coordinates.
        limits: the two energies above the minimum at which the colors end.
        xlabel: name of the plane's first coordinate.
        ylabel: name of the second.
        title: above the axes.
        colorbar: whether to draw one.

    Raises:
        ShapeError: points are not (n, 2), or trajectories not (steps, chains, 2).
        NonFiniteError: an energy is -∞, or none is finite.
        ConfigurationError: limits do not increase.

    Example:
        >>> from ebmlab import Plane, energies, landscape
        >>> ax = contour(landscape(energies.Ring().given(), Plane.xy()), arrows=True)
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('$a$', '$b$')
    """
    field = heights(landscape)
    how = scale([field], limits)
    ax = _filled(landscape, field, how, prepared(ax))
    if arrows:
        _arrows(ax, landscape, field, how)
    _marks(ax, data, samples)
    if trajectories is not None:
        paths(ax, points("trajectories", trajectories, 3))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if title is not None:
        ax.set_title(title)
    if colorbar:
        bar(how, ax)
    return ax


@style()
def landscapes(
    fields: Sequence[Landscape],
    titles: Sequence[str],
    *,
    data: Tensor | None = None,
    samples: Sequence[Tensor | None] | None = None,
    columns: int | None = None,
    shared: bool = True,
    limits: tuple[float, float] | None = None,
    xlabel: str = "$a$",
    ylabel: str = "$b$",
) -> Figure:
    """Landscapes side by side, each above its own minimum, on one color scale and color bar.

    Args:
        fields: one landscape per panel.
        titles: one per panel.
        data: points (n, 2) shown in every panel.
        samples: points (n, 2), or None, per panel.
        columns: panels per row; all by default, up to four.
        shared: whether all share one scale; if not, each panel has its own color bar.
        limits: the two energies above the minima at which the colors end.
        xlabel: name of the plane's first coordinate.
        ylabel: name of the second.

    Raises:
        ConfigurationError: there is no landscape, or the numbers of titles or samples differ.

    Example:
        >>> from ebmlab import Plane, energies, landscape
        >>> both = [energies.Ring(), energies.Banana()]
        >>> figure = landscapes(
        ...     [landscape(energy.given(), Plane.xy()) for energy in both], ["ring", "banana"]
        ... )
        >>> [ax.get_title() for ax in figure.axes]
        ['ring', 'banana', '']
    """
    each = [None] * len(fields) if samples is None else list(samples)
    if not fields or len(titles) != len(fields) or len(each) != len(fields):
        raise ConfigurationError(
            f"{len(fields)} landscapes, {len(titles)} titles and {len(each)} samples arrived; one "
            "of each per panel is due"
        )
    columns = min(len(fields), columns or 4)
    rows = math.ceil(len(fields) / columns)
    figure = Figure(figsize=(2.3 * columns + 0.9, 2.35 * rows + 0.35), layout="compressed")
    above = [heights(field) for field in fields]
    common = scale(above, limits)
    windows = {(*numbers(field.a)[[0, -1]], *numbers(field.b)[[0, -1]]) for field in fields}
    panels: list[Axes] = []
    for i, (field, height) in enumerate(zip(fields, above, strict=True)):
        ax = prepared(figure.add_subplot(rows, columns, i + 1))
        how = common if shared else scale([height], limits)
        _filled(field, height, how, ax)
        if len(windows) > 1:
            ax.set(aspect="auto", box_aspect=1)
        _marks(ax, data, each[i])
        ax.set_title(titles[i])
        left, bottom = i % columns == 0, i + columns >= len(fields)
        ax.set(xlabel=xlabel if bottom else "", ylabel=ylabel if left else "")
        if len(windows) == 1:
            ax.tick_params(labelleft=left, labelbottom=bottom)
        panels.append(ax)
        if not shared:
            bar(how, ax)
    if shared:
        bar(common, panels)
    return figure


def _filled(landscape: Landscape, field: np.ndarray, how: Scale, ax: Axes) -> Axes:
    a, b = numbers(landscape.a), numbers(landscape.b)
    top = max(field[np.isfinite(field)].max(), how.high)
    shown = np.ma.masked_invalid(np.where(np.isposinf(field), 2 * top, field))
    levels = np.linspace(how.low, how.high, 49)
    ax.contourf(a, b, shown, levels, cmap=ENERGY, norm=how.norm, extend=how.extend)
    lines = [tick for tick in how.ticks if how.low < tick < min(how.high, shown.max())]
    if lines:
        ax.contour(a, b, shown, lines, colors=_ink(how, np.array(lines)), linewidths=0.4)
    ax.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]), facecolor=ENERGY.get_bad())
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 4, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 4, 5, 10]))
    spans = a[-1] - a[0], b[-1] - b[0]
    if max(spans) <= 2 * min(spans):
        ax.set_aspect("equal")
    return ax


def _ink(how: Scale, height: np.ndarray) -> np.ndarray:
    """What is seen on the colors of these heights: white on the dark ones, dark on the light."""
    light = (how.norm(height) > 0.55)[..., None]
    return np.where(light, to_rgba(_DARK, 0.5), to_rgba("white", 0.6))


def _marks(ax: Axes, data: Tensor | None, samples: Tensor | None) -> None:
    if data is not None:
        x, y = points("data", data).T
        ax.scatter(x, y, s=8, color=DATA, edgecolors="white", linewidths=0.3, label="data")
    if samples is not None:
        x, y = points("samples", samples).T
        ax.scatter(x, y, s=12, color=SAMPLES, marker="x", linewidths=0.9, label="samples")


def _arrows(ax: Axes, landscape: Landscape, field: np.ndarray, how: Scale) -> None:
    a, b = numbers(landscape.a), numbers(landscape.b)
    finite = np.where(np.isfinite(field), field, np.nan)
    rows, columns = (
        np.linspace(0, n - 1, min(n, 18)).round().astype(int)[1:-1] for n in field.shape
    )
    place = np.ix_(rows, columns)
    down_b, down_a = (-slope[place] for slope in np.gradient(finite, b, a))
    length = np.hypot(down_a, down_b)
    length[~(length > 0)] = np.nan
    ax.quiver(
        a[columns],
        b[rows],
        down_a / length,
        down_b / length,
        angles="xy",
        pivot="mid",
        scale=26,
        width=0.004,
        color=_ink(how, finite[place]).reshape(-1, 4),
    )
