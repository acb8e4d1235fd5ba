"""A landscape as mountains: the energy as height, seen from the side."""

import numpy as np
from mpl_toolkits.mplot3d.axes3d import Axes3D

from ebmlab.plot.scale import bar, heights, scale
from ebmlab.plot.space import name_axes, solid
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

    It is seen from an elevation and an azimuth in degrees. Other arguments and errors are those of
    `contour`, but for axes that are three-dimensional.

    Raises:
        ConfigurationError: ax is flat.

    Example:
        >>> from ebmlab import Plane, energies, landscape
        >>> ax = surface(landscape(energies.DoubleWell().given(), Plane.xy(), resolution=20))
        >>> ax.name
        '3d'
    """
    ax = solid(ax, (5.0, 3.6), (elevation, azimuth))
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
    ax.set_box_aspect((1, 1, 0.6))
    ax.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]), zlim=(how.low, how.high))
    name_axes(ax, (xlabel, ylabel, "$E$"), pad=0)
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
