"""The one style of all pictures: legible in print, with no meaning carried by hue alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab.errors import ShapeError

__all__ = [
    "DASHES",
    "DATA",
    "ENERGY",
    "PALETTE",
    "SAMPLES",
    "TEMPERATURE",
    "numbers",
    "opened",
    "points",
    "prepared",
    "style",
]

# Okabe and Ito's colors, told apart by the color-blind; those that vanish on white come last.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
DATA, SAMPLES = "#E69F00", "#CC79A7"

# Equal steps of color difference, and a lightness that rises all the way: wells are deep and dark
# in gray and to every eye, plateaus fade into the paper.
_DEPTHS = (
    *("#1d1841", "#202557", "#1f356b", "#1c467b", "#165588", "#0f6493", "#0c739a", "#17809f"),
    *("#288fa4", "#3a9da9", "#50adae", "#67bbb3", "#83cab7", "#a1d7bc", "#bde2c3", "#daecce"),
    "#f2f6e0",
)
ENERGY = LinearSegmentedColormap.from_list("ebmlab_energy", _DEPTHS, 512).with_extremes(
    over="#fdfdf8", under="#0d0a22", bad="#b8b8b8"
)
# The dark and middle part of plasma, so that the warmest line is still seen on white.
TEMPERATURE = LinearSegmentedColormap.from_list(
    "ebmlab_temperature", mpl.colormaps["plasma"](np.linspace(0.0, 0.82, 64))
)

_INK = "#262626"
_RC: dict[str, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": "figure",
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.07,
    "figure.constrained_layout.h_pad": 0.07,
    "axes.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlepad": 5,
    "axes.labelsize": 9,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes3d.grid": False,
    "axes3d.xaxis.panecolor": (1.0, 1.0, 1.0, 0.0),
    "axes3d.yaxis.panecolor": (1.0, 1.0, 1.0, 0.0),
    "axes3d.zaxis.panecolor": (1.0, 1.0, 1.0, 0.0),
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.4,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "pdf.fonttype": 42,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in ebmlab's style: a context, or a decorator of a function that draws.

    Every function of `ebmlab.plot` uses it; use it for pictures of your own beside them.

    Example:
        >>> with style():
        ...     mpl.rcParams["figure.dpi"]
        150.0
    """
    with mpl.rc_context(_RC):  # pyright: ignore[reportArgumentType]
        yield


def prepared(
    ax: Axes | None, size: tuple[float, float] = (4.2, 3.5), title: str | None = None
) -> Axes:
    """The axes to draw on: those given, or those of a new figure that pyplot knows nothing of."""
    if ax is None:
        ax = Figure(figsize=size, layout="compressed").add_subplot()
    if title is not None:
        ax.set_title(title)
    # Ticks are made when the figure is drawn, and would take the style of that moment.
    ax.tick_params(labelsize=8, width=0.6, length=3, color=_INK, labelcolor=_INK)
    return ax


def opened(ax: Axes, *, grid: bool = False) -> Axes:
    """The axes without the lines above and at the right, and with a grid if asked."""
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(visible=True, color="#e6e6e6", linewidth=0.5)
    return ax


def numbers(values: Tensor | Sequence[float]) -> np.ndarray:
    """Tensors of any device and precision, with or without gradients, or arrays, in float64."""
    if isinstance(values, Tensor):
        return values.detach().cpu().double().numpy()
    if isinstance(values, np.ndarray):
        return values.astype(np.float64)
    return np.asarray([float(value) for value in values])


def points(name: str, values: Tensor, ndim: int = 2, dim: int = 2) -> np.ndarray:
    """Points of a plane, or of a space, with `ndim` dimensions in all; raise unless they are."""
    if values.ndim != ndim or values.shape[-1] != dim or len(values) == 0:
        lead = "n" if ndim == 2 else "steps, chains" if dim == 2 else "rows, columns"
        place = "; Plane.coordinates gives the place of any y on a plane" * (dim == 2)
        raise ShapeError(
            f"{name} has shape {tuple(values.shape)}; expected ({lead}, {dim}), not empty{place}"
        )
    return numbers(values)
