"""Curves that a latent z runs through, colored by z, and how far the data are from them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke
from torch import Tensor

from ebmlab.errors import ShapeError
from ebmlab.plot.cyclic import angles_of, cyclic_bar, hues
from ebmlab.plot.style import DATA, points, prepared, style

__all__ = ["manifold"]

_QUARTERS = ("z = 0", "π/2", "π", "3π/2")
_HALO = [withStroke(linewidth=1.8, foreground="white")]


@style()
def manifold(
    decoded: Tensor,
    z: Tensor,
    ax: Axes | None = None,
    *,
    data: Tensor | None = None,
    words: bool = False,
    colorbar: bool = True,
    title: str | None = None,
) -> Axes:
    """The curve {g(z)} in the color of its angle z, with lines from data to their nearest points.

    Colors are cyclic: z = 0 and z = 2π look alike.

    Args:
        decoded: g(z) in the order of z, (n, 2), n >= 2; the last point may repeat the first.
        z: angles in radians, (n,).
        ax: where to draw, such as the axes of a `contour`; None makes a new figure.
        data: points (m, 2); None draws no lines.
        words: whether to write z at its quarter turns, inside the curve.
        colorbar: whether to draw one, of z.
        title: above the axes.

    Raises:
        ShapeError: decoded or data are not (n, 2), or z is not (n,).

    Example:
        >>> import torch
        >>> z = torch.linspace(0, 2 * torch.pi, 50)
        >>> circle = torch.stack([z.cos(), z.sin()], dim=1)
        >>> ax = manifold(circle, z, data=torch.tensor([[1.5, 0.0]]))
        >>> ax.collections[0].get_segments()[0].round(2).tolist()
        [[1.5, 0.0], [1.0, 0.0]]
    """
    curve = points("decoded", decoded)
    if len(curve) < 2:
        raise ShapeError("decoded has one point; a curve takes (n, 2) with n >= 2")
    angle = angles_of(z, len(curve))
    ax = prepared(ax, title=title)
    if data is not None:
        places = points("data", data)
        ends = _nearest(places, curve)
        lines = list(np.stack([places, ends], axis=1))
        ax.add_collection(LineCollection(lines, colors=DATA, linewidths=0.9, zorder=2.1))
        ax.scatter(*places.T, s=11, color=DATA, edgecolors="white", linewidths=0.4, zorder=2.5)
    ax.plot(*curve.T, color="white", linewidth=4.6, solid_capstyle="round", zorder=2.2)
    pieces = list(np.stack([curve[:-1], curve[1:]], axis=1))
    middle = angle[:-1] + np.diff(angle) / 2
    look = {"linewidths": 3.4, "capstyle": "round", "zorder": 2.3}
    ax.add_collection(LineCollection(pieces, colors=hues(middle), **look))
    if words:
        for k, said in enumerate(_QUARTERS):
            at = int(np.abs(angle - k * np.pi / 2).argmin())
            x, y = curve[at] + 0.32 * (curve.mean(0) - curve[at])
            how = {"ha": "center", "va": "center", "fontsize": 7, "path_effects": _HALO}
            ax.text(x, y, said, zorder=2.6, **how)
    ax.autoscale_view()
    ax.set_aspect("equal")
    if colorbar:
        cyclic_bar(ax)
    return ax


def _nearest(places: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """The points (m, 2) nearest to these on the pieces between the points of a curve."""
    start, way = curve[:-1], np.diff(curve, axis=0)
    length = np.maximum((way**2).sum(1), np.finfo(float).tiny)
    share = ((places[:, None] - start) * way).sum(-1) / length
    candidates = start + share.clip(0, 1)[..., None] * way
    best = ((places[:, None] - candidates) ** 2).sum(-1).argmin(1)
    return candidates[np.arange(len(places)), best]
