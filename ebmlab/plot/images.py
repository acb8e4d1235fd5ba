"""A batch of images as one sheet."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from einops import rearrange
from matplotlib.axes import Axes
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._events import warn_of_bytes
from ebmlab.errors import ShapeError
from ebmlab.plot.style import numbers, prepared, style

__all__ = ["images", "pixels_of", "sheet_of"]


@style()
def images(
    batch: Tensor,
    columns: int = 8,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    headings: Sequence[str] = (),
    sides: Sequence[str] = (),
    captions: Sequence[str] = (),
) -> Axes:
    """Images in rows of `columns`, each pixel as it is; values outside [0, 1] are clipped.

    Args:
        batch: (n, c, h, w) in [0, 1]; c is 1, gray, or 3, color.
        columns: images per row.
        ax: where to draw; None makes a new figure.
        title: above the sheet.
        headings: above the columns, one for each; none by default.
        sides: left of the rows, one for each; none by default.
        captions: below the images, one for each, such as energies; none by default.

    Raises:
        ShapeError: batch is not (n, 1 or 3, h, w), or empty; headings are not one for a column,
            sides not one for a row, or captions not one for an image.
        ConfigurationError: columns < 1.

    Example:
        >>> import torch
        >>> images(torch.rand(10, 1, 8, 8), columns=5).images[0].get_array().shape
        (19, 46, 3)
    """
    require_counts(columns=columns)
    return sheet_of(pixels_of(batch), columns, ax, title, headings, sides, captions)


def pixels_of(batch: Tensor, name: str = "batch") -> np.ndarray:
    """Images (n, c, h, w) as pixels (n, h, w, c) in [0, 1]; raise unless they are images."""
    if batch.ndim != 4 or batch.shape[1] not in (1, 3) or 0 in batch.shape:
        raise ShapeError(
            f"{name} has shape {tuple(batch.shape)}; images are (n, c, h, w) with c 1 or 3: "
            "channels come first, .movedim(-1, 1)"
        )
    warn_of_bytes({name: torch.as_tensor(batch)}, stacklevel=4)
    return numbers(batch).transpose(0, 2, 3, 1).clip(0, 1)


def sheet_of(
    pixels: np.ndarray,
    columns: int,
    ax: Axes | None,
    title: str | None = None,
    headings: Sequence[str] = (),
    sides: Sequence[str] = (),
    captions: Sequence[str] = (),
) -> Axes:
    """The sheet of pixels (n, h, w, 1 or 3)."""
    n, height, width, _ = pixels.shape
    columns, rows = min(columns, n), math.ceil(n / columns)
    _require_names("headings", headings, columns, "columns")
    _require_names("sides", sides, rows, "rows")
    _require_names("captions", captions, n, "images")
    gap = max(1, round(width / 16))
    wide = min(6.5, 0.75 * columns)
    low = round(0.16 * width * columns / wide) if captions else 0  # 0.16 inches
    cells = np.ones((rows * columns, height + gap + low, width + gap, 3))
    cells[:n, gap : gap + height, gap:] = pixels
    sheet = rearrange(cells, "(r c) h w k -> (r h) (c w) k", c=columns)
    sheet = np.pad(sheet, ((0, gap), (0, gap), (0, 0)), constant_values=1.0)
    ax = prepared(ax, (wide, wide * sheet.shape[0] / sheet.shape[1] + (0.3 if title else 0.0)))
    ax.imshow(sheet, interpolation="nearest")
    ax.set_axis_off()
    for i, heading in enumerate(headings):
        ax.text(_center(i, width, gap), 0, heading, ha="center", va="bottom", fontsize=8)
    for i, side in enumerate(sides):
        middle = _center(i, height, gap + low) - low
        ax.text(-gap, middle, side, ha="right", va="center", fontsize=8)
    for i, caption in enumerate(captions):
        below = (i // columns + 1) * (height + gap + low) - 0.5 * low
        place = _center(i % columns, width, gap), below
        ax.text(*place, caption, ha="center", va="center", fontsize=8)
    if title is not None:
        ax.set_title(title, pad=16 if headings else None)
    return ax


def _center(i: int, length: int, gap: int) -> float:
    return i * (length + gap) + gap + (length - 1) / 2


def _require_names(what: str, names: Sequence[str], count: int, of: str) -> None:
    if names and len(names) != count:
        raise ShapeError(f"{what} are {len(names)} for {count} {of}; one for each")
