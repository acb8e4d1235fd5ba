"""Colors of angles, which are the same again after a turn."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from torch import Tensor

from ebmlab.errors import ShapeError
from ebmlab.plot.style import numbers

__all__ = ["angles_of", "cyclic_bar", "hues"]

_COLORS = mpl.colormaps["twilight"]
_TURN = 2 * np.pi


def angles_of(z: Tensor, count: int) -> np.ndarray:
    """Angles (count,), or (count, 1) as decoders take them; raise unless they are."""
    if tuple(z.shape) not in ((count,), (count, 1)):
        raise ShapeError(f"z has shape {tuple(z.shape)}; expected ({count},), an angle per point")
    return numbers(z).reshape(count)


def hues(angle: np.ndarray) -> np.ndarray:
    """Colors (n, 4) of angles (n,) in radians, periodic in 2π."""
    return _COLORS((angle % _TURN) / _TURN)


def cyclic_bar(ax: Axes) -> None:
    """A color bar of z from 0 to 2π beside the axes."""
    mappable = ScalarMappable(Normalize(0, _TURN), _COLORS)
    bar = ax.figure.colorbar(mappable, ax=ax, label="angle $z$", pad=0.02)
    bar.set_ticks([0, np.pi, _TURN], labels=["0", "$\\pi$", "$2\\pi$"])
    bar.outline.set_linewidth(0.6)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(labelsize=8, width=0.6)
