"""Chains of images: as strips, one row for each chain, and as a film."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.film import save_gif
from ebmlab.plot.images import images
from ebmlab.plot.style import numbers, style

__all__ = ["animate_images", "strip"]


@style()
def strip(
    samples: Tensor,
    energies: Tensor | None = None,
    ax: Axes | None = None,
    *,
    headings: Sequence[str] = (),
    sides: Sequence[str] = (),
    title: str | None = None,
) -> Axes:
    """Chains of images as strips: a row for each chain, a column for each kept step.

    Args:
        samples: (kept, chains, c, h, w) in [0, 1], as `run` keeps them; take every so many.
        energies: (kept, chains), written below the images; None writes none.
        ax: where to draw; None makes a new figure.
        headings: above the columns, such as the numbers of steps.
        sides: left of the chains, such as where each began.
        title: above the sheet.

    Raises:
        ShapeError: samples are not (kept, chains, c, h, w), or energies not (kept, chains).

    Example:
        >>> import torch
        >>> ax = strip(torch.rand(5, 2, 1, 8, 8), torch.rand(5, 2), sides=["noise", "data"])
        >>> len(ax.texts)
        12
    """
    kept, _ = _require_chains(samples, energies)
    batch = samples.transpose(0, 1).flatten(0, 1)
    captions = [] if energies is None else [f"{e:.4g}" for e in numbers(energies.T).flat]
    how = {"headings": headings, "sides": sides, "captions": captions, "title": title}
    return images(batch, kept, ax, **how)


@style()
def animate_images(
    samples: Tensor,
    path: str | Path,
    *,
    columns: int = 8,
    titles: Sequence[str] = (),
    fps: float = 10.0,
) -> Path:
    """Film chains of images: a frame for each kept step, a sheet of all; the end stays a second.

    Args:
        samples: (kept, chains, c, h, w) in [0, 1].
        path: ends in .gif, and is returned.
        columns: chains in a row.
        titles: above the frames, one for each; the number of the draw by default.
        fps: frames per second; a GIF shows each for whole hundredths of a second.

    Raises:
        ShapeError: samples are not (kept, chains, c, h, w).
        ConfigurationError: the path ends otherwise, or titles are not one for each frame.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     animate_images(torch.rand(3, 4, 1, 8, 8), f"{folder}/chains.gif").name
        'chains.gif'
    """
    path = Path(path)
    if path.suffix != ".gif":
        raise ConfigurationError(f"path is {path.name}; this film ends in .gif")
    require_positive("fps", fps)
    require_counts(columns=columns)
    kept, _ = _require_chains(samples, None)
    titles = titles or [f"draw {k + 1} of {kept}" for k in range(kept)]
    if len(titles) != kept:
        raise ConfigurationError(f"titles are {len(titles)} for {kept} frames; one for each")
    frames = [_frame(batch, columns, title) for batch, title in zip(samples, titles, strict=True)]
    # One palette for all frames, or the colors would flicker.
    palette = Image.fromarray(np.hstack([frames[0], frames[-1]])).quantize(256)
    film = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    save_gif(path, iter(film + film[-1:] * round(fps)), fps)
    return path


def _frame(batch: Tensor, columns: int, title: str) -> np.ndarray:
    _, _, height, width = batch.shape
    columns = min(columns, len(batch))
    wide = max(2.0, 0.75 * columns)
    high = wide / columns * -(-len(batch) // columns) * height / width
    figure = Figure(figsize=(wide, high + 0.4), dpi=110, layout="compressed")
    canvas = FigureCanvasAgg(figure)
    images(batch, columns, figure.add_subplot(), title=title)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _require_chains(samples: Tensor, energies: Tensor | None) -> tuple[int, int]:
    if samples.ndim != 5 or 0 in samples.shape:
        raise ShapeError(
            f"samples has shape {tuple(samples.shape)}; chains of images are "
            "(kept, chains, c, h, w): run(…, thin=…).samples"
        )
    kept, chains = samples.shape[:2]
    if energies is not None and energies.shape != (kept, chains):
        raise ShapeError(
            f"energies has shape {tuple(energies.shape)}; samples are of {kept} steps of {chains} "
            f"chains: ({kept}, {chains})"
        )
    return kept, chains
