"""Where an energy wants an image brighter, and where darker."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.plot.images import pixels_of, sheet_of
from ebmlab.plot.style import numbers, style

__all__ = ["gradient_map"]

# Dark blue, white, orange: the two signs differ in lightness too.
SIGNED = LinearSegmentedColormap.from_list(
    "ebmlab_signed",
    ("#082a54", "#2f76b5", "#a9cbe6", "#ffffff", "#fbd09b", "#ee9a3a", "#b65a05"),
    257,  # odd: 0 is white itself
)


@style()
def gradient_map(
    batch: Tensor,
    slopes: Tensor,
    ax: Axes | None = None,
    *,
    columns: int = 8,
    limit: float | None = None,
    headings: Sequence[str] = (),
    title: str | None = None,
) -> Axes:
    """Images over -∂E/∂y: orange where a step downhill brightens, blue where it darkens.

    One scale for all, symmetric about 0, which is white.

    Args:
        batch: y (n, c, h, w) in [0, 1].
        slopes: -∂E/∂y (n, c, h, w), minus what `u.value_and_grad(y)` gives; colors are summed.
        ax: where to draw; None makes a new figure.
        columns: images in a row.
        limit: the slope at which colors end; None takes the 99.5 % quantile of |slopes|.
        headings: above the columns, one for each; none by default.
        title: above the sheet.

    Raises:
        ShapeError: batch is not (n, 1 or 3, h, w), or slopes has another shape.
        NonFiniteError: a slope is NaN or infinite.

    Example:
        >>> import torch
        >>> y = torch.rand(3, 1, 8, 8)
        >>> gradient_map(y, 0.5 - y).images[0].get_array().shape
        (19, 28, 3)
    """
    require_counts(columns=columns)
    pixels = pixels_of(batch)
    if slopes.shape != batch.shape:
        raise ShapeError(
            f"slopes has shape {tuple(slopes.shape)}, batch {tuple(batch.shape)}; they are of one"
        )
    values = numbers(slopes).sum(1)
    if not np.isfinite(values).all():
        raise NonFiniteError(f"slopes {tuple(slopes.shape)} holds NaN or infinity")
    high = float(np.quantile(np.abs(values), 0.995)) if limit is None else limit
    norm = Normalize(-(high or 1.0), high or 1.0, clip=True)
    colored = SIGNED(norm(values))[..., :3]
    columns = min(columns, len(batch))
    white = np.ones((-len(batch) % columns, *colored.shape[1:]))
    parts = (np.broadcast_to(pixels, colored.shape), colored)
    both = np.stack([np.concatenate([part, white]) for part in parts])
    both = both.reshape(2, -1, columns, *colored.shape[1:]).swapaxes(0, 1)
    ax = sheet_of(both.reshape(-1, *colored.shape[1:]), columns, ax, title, headings)
    extend = "both" if np.abs(values).max() > high else "neither"
    label = r"slope $-\partial E / \partial y$"
    bar = ax.figure.colorbar(ScalarMappable(norm, SIGNED), ax=ax, pad=0.02, extend=extend)
    bar.set_label(label)
    bar.outline.set_linewidth(0.6)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(labelsize=8, width=0.6, length=3)
    return ax
