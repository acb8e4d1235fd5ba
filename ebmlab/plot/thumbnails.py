"""Images where they lie: on a plane's picture, and along paths."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.images import pixels_of
from ebmlab.plot.style import DASHES, PALETTE, numbers, opened, points, prepared, style
from ebmlab.slices import Path

__all__ = ["path", "thumbnails"]


@style()
def thumbnails(ax: Axes, batch: Tensor, places: Tensor, *, size: float = 0.4) -> Axes:
    """Images at their places in a picture, such as the three that a plane goes through.

    Args:
        ax: the axes of a `contour`, or others.
        batch: (n, c, h, w) in [0, 1].
        places: (n, 2) in the axes' coordinates: `plane.coordinates(batch)`, or the corners of a
            window beside `plane.points(a, b)`.
        size: height of an image in inches.

    Raises:
        ShapeError: batch is not (n, 1 or 3, h, w), or places are not (n, 2).

    Example:
        >>> import torch
        >>> from ebmlab import Plane, landscape, plot
        >>> three = torch.rand(3, 1, 8, 8)
        >>> plane = Plane.through(*three)
        >>> bowl = landscape(lambda y: y.square().sum((1, 2, 3)), plane, -1.0, 2.0, 20)
        >>> len(thumbnails(plot.contour(bowl), three, plane.coordinates(three)).artists)
        3
    """
    where = points("places", places)
    if len(where) != len(batch):
        raise ShapeError(f"places are {len(where)} for {len(batch)} images; one for each")
    require_positive("size", size)
    for pixels, place in zip(pixels_of(batch), where, strict=True):
        _place(ax, pixels, place, size)
    return ax


@style()
def path(paths: Mapping[str, Path], *, shown: int = 7, title: str | None = None) -> Figure:
    """Energies along paths, and below them the images on the way, in a row for each path.

    Args:
        paths: name -> what `slices.path` returned; y of images (n, c, h, w), or else no row.
        shown: images of each path, its ends among them.
        title: above the curves.

    Raises:
        ConfigurationError: there is no path, or shown < 2.

    Example:
        >>> import torch
        >>> from ebmlab import slices
        >>> ends = torch.rand(2, 1, 8, 8)
        >>> straight = slices.path(lambda y: y.square().sum((1, 2, 3)), ends)
        >>> len(path({"straight": straight}).axes)
        2
    """
    require_counts(2, shown=shown)
    if not paths:
        raise ConfigurationError("paths is empty; expected at least one named path")
    pictured = [name for name, each in paths.items() if each.y.ndim == 4]
    heights = [1.9, *[0.55] * len(pictured)]
    figure = Figure(figsize=(5.4, sum(heights) + 0.5), layout="constrained")
    cells = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
    above, *rows = cells[:, 0]
    opened(prepared(above, title=title), grid=True)
    for k, (name, each) in enumerate(paths.items()):
        look = {"color": PALETTE[k % len(PALETTE)], "linestyle": DASHES[k % len(DASHES)]}
        above.plot(numbers(each.t), numbers(each.energy), label=name, **look)
    above.set_ylabel("energy $E$")
    if len(paths) > 1:
        above.legend()
    for ax, name in zip(rows, pictured, strict=True):
        _row(ax, paths[name], shown, name if len(paths) > 1 else "")
    far = max(float(each.t[-1]) for each in paths.values())
    figure.axes[-1].set_xlabel("stops passed" if far > 1 else "share of the way")
    figure.axes[-1].tick_params(labelbottom=True)
    return figure


def _row(ax: Axes, each: Path, shown: int, name: str) -> None:
    at = np.linspace(0, len(each.y) - 1, shown).round().astype(int)
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False, labelsize=8)
    ax.set_ylim(0, 1)
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
    for pixels, t in zip(pixels_of(each.y[at]), numbers(each.t)[at], strict=True):
        _place(ax, pixels, (t, 0.5), 0.5)


def _place(ax: Axes, pixels: np.ndarray, place: np.ndarray | tuple, size: float) -> None:
    shown = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    image = OffsetImage(shown, zoom=72 * size / len(shown), interpolation="nearest")
    frame = {"edgecolor": "white", "linewidth": 0.8}
    box = AnnotationBbox(image, tuple(place), pad=0.05, frameon=True, bboxprops=frame)
    # Layouts would make room for each image as for a label.
    box.set_in_layout(False)
    ax.add_artist(box)
