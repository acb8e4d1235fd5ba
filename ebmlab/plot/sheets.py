"""A film of sheets of images: chains from noise, one frame for each kept step."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.film import save_gif
from ebmlab.plot.style import numbers

__all__ = ["film"]


def film(
    frames: Tensor, path: str | Path, columns: int = 8, *, fps: float = 10.0, zoom: int = 2
) -> Path:
    """Write images that move, in rows of `columns`, as a GIF; the last frame stays for a second.

    Args:
        frames: (frames, n, c, h, w) in [0, 1], c 1 or 3; values outside are clipped.
        path: ends in .gif; it is returned.
        columns: images per row.
        fps: frames in a second.
        zoom: screen pixels of a pixel, along a side.

    Raises:
        ShapeError: frames are not (frames, n, 1 or 3, h, w), or empty.
        ConfigurationError: the path ends otherwise; columns, fps or zoom are not positive.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     film(torch.rand(3, 10, 1, 8, 8), f"{folder}/noise.gif").name
        'noise.gif'
    """
    path = Path(path)
    if path.suffix != ".gif":
        raise ConfigurationError(f"path is {path.name}; a film of images ends in .gif")
    require_counts(columns=columns, zoom=zoom)
    require_positive("fps", fps)
    if frames.ndim != 5 or frames.shape[2] not in (1, 3) or 0 in frames.shape:
        raise ShapeError(
            f"frames has shape {tuple(frames.shape)}; expected (frames, n, c, h, w), c 1 or 3"
        )
    pixels = (255 * numbers(frames).clip(0, 1)).round().astype(np.uint8)
    sheets = [Image.fromarray(_sheet(each, columns, zoom)) for each in pixels]
    save_gif(path, iter([*sheets, *sheets[-1:] * round(fps)]), fps)
    return path


def _sheet(images: np.ndarray, columns: int, zoom: int) -> np.ndarray:
    """Images (n, c, h, w) side by side, white lines between: (height, width[, 3])."""
    n, channels, height, width = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    cells = np.full((rows * columns, channels, height + 1, width + 1), 255, np.uint8)
    cells[:n, :, 1:, 1:] = images
    grid = cells.reshape(rows, columns, channels, height + 1, width + 1)
    sheet = grid.transpose(0, 3, 1, 4, 2).reshape(rows * (height + 1), -1, channels)
    large = sheet.repeat(zoom, 0).repeat(zoom, 1)
    return large[..., 0] if channels == 1 else large
