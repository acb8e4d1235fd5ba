"""Points and sheets in three dimensions."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D
from torch import Tensor

from ebmlab._kinds import require_a
from ebmlab.errors import ShapeError
from ebmlab.plot.cyclic import angles_of, hues
from ebmlab.plot.style import DATA, PALETTE, style
from ebmlab.plot.style import points as placed

__all__ = ["name_axes", "solid", "space"]


@style()
def space(
    points: Tensor | None = None,
    sheet: Tensor | None = None,
    ax: Axes3D | None = None,
    *,
    z: Tensor | None = None,
    ends: Tensor | None = None,
    names: tuple[str, str, str] = ("$a$", "$b$", "$c$"),
    title: str | None = None,
    elevation: float = 18.0,
    azimuth: float = -62.0,
) -> Axes3D:
    """Data as dots and a manifold as a sheet of lines, in three dimensions.

    Args:
        points: (n, 3).
        sheet: a grid of points of a surface, (rows, columns, 3); its lines are drawn.
        ax: three-dimensional axes to draw on; None makes a new figure.
        z: angles in radians of the sheet's columns, (columns,): they color it, cyclically.
        ends: where a line from each point ends, such as its nearest of the sheet, (n, 3).
        names: of the three coordinates.
        title: above the axes.
        elevation: degrees above the horizon.
        azimuth: degrees about the vertical.

    Raises:
        ShapeError: points or ends are not (n, 3), sheet is not (rows, columns, 3), or z not
            (columns,).
        ConfigurationError: ax is flat.

    Example:
        >>> import torch
        >>> ax = space(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)))
        >>> ax.name
        '3d'
    """
    ax = solid(ax, (4.2, 3.8), (elevation, azimuth))
    if sheet is not None:
        grid = placed("sheet", sheet, 3, 3)
        _sheet(ax, grid, None if z is None else angles_of(z, grid.shape[1]))
    if points is not None:
        dots = placed("points", points, 2, 3)
        ax.scatter(*dots.T, s=5, c=DATA, edgecolors="none", depthshade=True)
        if ends is not None:
            lines = _lines(dots, placed("ends", ends, 2, 3))
            ax.add_collection3d(Line3DCollection(lines, colors="gray", linewidths=0.5))
    ax.set_box_aspect((1.3, 1, 1), zoom=1.0)  # pyright: ignore[reportArgumentType]
    name_axes(ax, names, pad=-1)
    if title is not None:
        ax.set_title(title, y=0.96)
    return ax


def _sheet(ax: Axes3D, grid: np.ndarray, angle: np.ndarray | None) -> None:
    across = np.moveaxis(grid, -1, 0)
    if angle is None:
        ax.plot_surface(*across, color=PALETTE[5], alpha=0.15, linewidth=0)
        ax.plot_wireframe(*across, color=PALETTE[0], linewidth=0.4, alpha=0.6)
        return
    rows, columns, _ = grid.shape
    colors = np.broadcast_to(hues(angle), (rows, columns, 4)).copy()
    colors[..., 3] = 0.75
    whole = {"rcount": rows, "ccount": columns}
    ax.plot_surface(*across, facecolors=colors, shade=False, linewidth=0, **whole)
    ax.plot_wireframe(*across, color="black", linewidth=0.25, alpha=0.35)


def _lines(dots: np.ndarray, ends: np.ndarray) -> np.ndarray:
    if len(dots) != len(ends):
        raise ShapeError(f"ends are {len(ends)} for {len(dots)} points; one for each")
    return np.stack([dots, ends], axis=1)


def solid(ax: Axes3D | None, size: tuple[float, float], view: tuple[float, float]) -> Axes3D:
    """The axes to draw on, those given or new ones, seen from an elevation and an azimuth."""
    if ax is None:
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.add_subplot(projection="3d")  # pyright: ignore[reportAssignmentType]
    mend = "figure.add_subplot(projection='3d') makes three-dimensional axes"
    ax = require_a(Axes3D, "ax", ax, mend)
    ax.view_init(*view)
    return ax


def name_axes(ax: Axes3D, names: Sequence[str], pad: int) -> None:
    """Few round ticks, and a name `pad` points away from them."""
    for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), names, strict=True):
        axis.set_tick_params(labelsize=8, pad=pad)
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10]))
        axis.set_label_text(name)
        axis.labelpad = pad
