"""Landscapes seen from above: one, or several side by side on one scale."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.plot import layers
from ebmlab.plot.scale import bar, heights, scale
from ebmlab.plot.style import numbers, prepared, style
from ebmlab.slices import Landscape

__all__ = ["contour", "landscapes"]


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

    Energies are shown above the window's minimum. Where a few are very high, the colors end below
    them and the color bar is pointed.

    Args:
        landscape: what `ebmlab.landscape` returned.
        ax: where to draw; None makes a new figure.
        data: points (n, 2) in the plane's coordinates, as circles.
        samples: points (n, 2), as crosses.
        trajectories: chains (steps, chains, 2), as lines that fade into the past.
        arrows: whether to show the directions of -∇E, of one length, in the plane's coordinates.
        limits: the two energies above the minimum at which the colors end.
        xlabel: of the plane's first coordinate.
        ylabel: of the second.
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
    ax = prepared(ax, title=title)
    layers.filled(ax, landscape, field, how, directed=arrows)
    layers.marks(ax, data, samples, trajectories)
    ax.set(xlabel=xlabel, ylabel=ylabel)
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
    trajectories: Sequence[Tensor | None] | None = None,
    arrows: bool = False,
    columns: int | None = None,
    shared: bool = True,
    limits: tuple[float, float] | None = None,
    xlabel: str = "$a$",
    ylabel: str = "$b$",
) -> Figure:
    """Landscapes side by side, each above its own minimum, on one color scale and color bar.

    Each panel has a title; `samples` and `trajectories` hold what each shows, or None for none,
    and `data` is shown in all. There are `columns` panels in a row; None takes all, up to four.
    Without `shared` each panel has a scale and a color bar of its own. Other arguments and errors
    are those of `contour`.

    Raises:
        ConfigurationError: there is no landscape, the numbers of titles, samples or trajectories
            differ, or columns < 1.

    Example:
        >>> from ebmlab import Plane, energies, landscape
        >>> both = [energies.Ring(), energies.Banana()]
        >>> figure = landscapes(
        ...     [landscape(energy.given(), Plane.xy()) for energy in both], ["ring", "banana"]
        ... )
        >>> [ax.get_title() for ax in figure.axes]
        ['ring', 'banana', '']
    """
    each = {"landscapes": fields, "samples": samples, "trajectories": trajectories}
    fields, dots, lines = layers.in_each("panel", titles, **each)
    columns = min(len(fields), 4 if columns is None else columns)
    require_counts(columns=columns)
    rows = math.ceil(len(fields) / columns)
    figure = Figure(figsize=(2.3 * columns + 0.9, 2.25 * rows + 0.4), layout="compressed")
    above = [heights(field) for field in fields]
    common = scale(above, limits)
    windows = {(*numbers(field.a)[[0, -1]], *numbers(field.b)[[0, -1]]) for field in fields}
    panels: list[Axes] = []
    for i, (field, height) in enumerate(zip(fields, above, strict=True)):
        ax = prepared(figure.add_subplot(rows, columns, i + 1))
        how = common if shared else scale([height], limits)
        layers.filled(ax, field, height, how, directed=arrows)
        if len(windows) > 1:
            ax.set(aspect="auto", box_aspect=1)
        layers.marks(ax, data, dots[i], lines[i])
        ax.set_title(titles[i])
        left, bottom = i % columns == 0, i + columns >= len(fields)
        ax.set(xlabel=xlabel if bottom else "", ylabel=ylabel if left else "")
        if len(windows) == 1:
            ax.tick_params(labelleft=left, labelbottom=bottom)
        panels.append(ax)
        if not shared:
            bar(how, ax, label=r"$E - \min E$")
    if shared:
        bar(common, panels)
    return figure
