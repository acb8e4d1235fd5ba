"""Chains of samples as lines that fade into the past."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from torch import Tensor

from ebmlab.plot.style import PALETTE, points, prepared, style

__all__ = ["paths", "trajectories"]

# Colors of the palette that show on dark wells and on white paper alike.
_COLORS = [PALETTE[k] for k in (4, 5, 3, 1, 2)]


@style()
def trajectories(
    samples: Tensor,
    ax: Axes | None = None,
    *,
    xlabel: str | None = None,
    ylabel: str | None = None,
    title: str | None = None,
) -> Axes:
    """Chains in the plane: a line per chain that fades into the past, a dot where it ends.

    Args:
        samples: (kept, chains, 2), as `run` keeps them, or on a plane by `Plane.coordinates`.
        ax: where to draw, such as the axes of a `contour`; None makes a new figure.
        xlabel: of the first coordinate; None keeps that of the axes, or else writes a.
        ylabel: of the second, likewise.
        title: above the axes.

    Raises:
        ShapeError: samples are not (kept, chains, 2).

    Example:
        >>> import torch
        >>> walk = torch.randn(50, 3, 2, generator=torch.Generator().manual_seed(0)).cumsum(0)
        >>> len(trajectories(walk).collections)
        3
    """
    places = points("samples", samples, 3)
    ax = prepared(ax, title=title)
    paths(ax, places)
    ax.autoscale_view()
    ax.set_xlabel(xlabel or ax.get_xlabel() or "$a$")
    ax.set_ylabel(ylabel or ax.get_ylabel() or "$b$")
    return ax


def paths(ax: Axes, places: np.ndarray) -> None:
    """Draw chains (steps, chains, 2) on axes: fading lines and their last points."""
    steps, chains, _ = places.shape
    colors = np.array([to_rgb(_COLORS[k % len(_COLORS)]) for k in range(chains)])
    segments = np.stack([places[:-1], places[1:]], axis=2).reshape(-1, 2, 2)
    rgba = np.ones((steps - 1, chains, 4))
    rgba[..., :3] = colors
    rgba[..., 3] = np.linspace(0.12, 0.95, max(steps - 1, 1))[: steps - 1, None]
    halo = rgba * (1, 1, 1, 0.5)
    halo[..., :3] = 1.0
    for color, width in ((halo, 1.5), (rgba, 0.8)):
        ax.add_collection(
            LineCollection(
                list(segments), colors=color.reshape(-1, 4), linewidths=width, capstyle="round"
            )
        )
    ax.scatter(*places[-1].T, s=16, c=colors, edgecolors="white", linewidths=0.6, zorder=3)
