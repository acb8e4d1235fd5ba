"""A landscape as mountains: the energy as height, seen from the side."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D

from ebmlab.errors import ConfigurationError
from ebmlab.plot.scale import bar, heights, scale
from ebmlab.plot.style import ENERGY, numbers, style
from ebmlab.slices import Landscape

__all__ = ["surface"]


@style()
def surface(
    landscape: Landscape,
    ax: Axes3D | None = None,
    *,
    limits: tuple[float, float] | None = None,
    xlabel: str = "$a$",
    ylabel: str = "$b$",
    title: str | None = None,
    colorbar: bool = True,
    elevation: float = 42.0,
    azimuth: float = -60.0,
) -> Axes3D:
    """A landscape in three dimensions; what lies above the scale is cut to a plateau.

    Args:
        landscape: what `ebmlab.landscape` returned.
        ax: three-dimensional axes to draw on; None makes a new figure.
        limits: the two energies above the minimum between which it is shown.
        xlabel: name of the plane's first coordinate.
        ylabel: name of the second.
        title: above the axes.
        colorbar: whether to draw one.
        elevation: degrees above the horizon.
        azimuth: degrees about the vertical.

    Raises:
        ConfigurationError: ax is flat, or limits do not increase.
        NonFiniteError: an energy is -∞, or none is finite.

    Example:
        >>> from ebmlab import Plane, energies, landscape
        >>> ax = surface(landscape(energies.DoubleWell().given(), Plane.xy(), resolution=20))
        >>> ax.name
        '3d'
    """
    if ax is None:
        figure = Figure(figsize=(5.0, 3.6), layout="constrained")
        ax = figure.add_subplot(projection="3d")  # pyright: ignore[reportAssignmentType]
    if not isinstance(ax, Axes3D):
        raise ConfigurationError(
            "surface needs three-dimensional axes: figure.add_subplot(projection='3d')"
        )
    field = heights(landscape)
    how = scale([field], limits)
    a, b = numbers(landscape.a), numbers(landscape.b)
    a, b, field = _finer(a, b, field.clip(how.low, how.high))
    ax.plot_surface(
        *np.meshgrid(a, b),
        field,
        cmap=ENERGY,
        norm=how.norm,
        rcount=len(b),
        ccount=len(a),
        linewidth=0.0,
        antialiased=False,
    )
    ax.view_init(elevation, azimuth)
    ax.set_box_aspect((1, 1, 0.6))
    ax.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]), zlim=(how.low, how.high))
    for axis, name in ((ax.xaxis, xlabel), (ax.yaxis, ylabel), (ax.zaxis, "$E$")):
        axis.set_tick_params(labelsize=8, pad=0)
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10]))
        axis.set_label_text(name)
        axis.labelpad = 0
    if title is not None:
        ax.set_title(title)
    if colorbar:
        bar(how, ax, pad=0.12)
    return ax


def _finer(
    a: np.ndarray, b: np.ndarray, field: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bilinear refinement to about 200 points a side: each facet has only one color."""
    fine_a, fine_b = (np.linspace(axis[0], axis[-1], max(len(axis), 200)) for axis in (a, b))
    rows = np.stack([np.interp(fine_a, a, row) for row in field])
    return fine_a, fine_b, np.stack([np.interp(fine_b, b, column) for column in rows.T], axis=1)
