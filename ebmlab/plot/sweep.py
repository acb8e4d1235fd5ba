"""A film of landscapes: how the energy changes with what is clamped."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab.errors import ConfigurationError
from ebmlab.plot import layers
from ebmlab.plot.film import save_gif
from ebmlab.plot.scale import bar, heights, scale
from ebmlab.plot.style import prepared, style
from ebmlab.slices import Landscape

__all__ = ["sweep"]


@style()
def sweep(
    fields: Sequence[Landscape],
    titles: Sequence[str],
    path: str | Path,
    *,
    data: Sequence[Tensor | None] | None = None,
    fps: float = 10.0,
    back: bool = True,
    limits: tuple[float, float] | None = None,
    xlabel: str = "$a$",
    ylabel: str = "$b$",
) -> Path:
    """Film landscapes one after another and back again, each above its own minimum, on one scale.

    Each frame has a landscape, all of one window, a title, and points (n, 2) of data or None. The
    path ends in .gif and is returned. Where it does not go `back`, as in the film of a training
    run, the last landscape stays for a second. Other arguments and errors are those of `animate`.

    Raises:
        ConfigurationError: there is no landscape, titles or data are not one per frame, or the
            path ends otherwise.

    Example:
        >>> import tempfile
        >>> from ebmlab import Plane, energies, landscape
        >>> radii = [0.5, 1.0, 2.0]
        >>> rings = [energies.Ring(radius).given() for radius in radii]
        >>> fields = [landscape(u, Plane.xy(), resolution=20) for u in rings]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sweep(fields, [f"r = {radius}" for radius in radii], f"{folder}/rings.gif").name
        'rings.gif'
    """
    path = Path(path)
    if path.suffix != ".gif":
        raise ConfigurationError(f"path is {path.name}; this film ends in .gif")
    require_positive("fps", fps)
    fields, dots = layers.in_each("frame", titles, landscapes=fields, data=data)
    above = [heights(field) for field in fields]
    how = scale(above, limits)
    figure = Figure(figsize=(4.2, 3.5), dpi=110, layout="compressed")
    canvas, ax = FigureCanvasAgg(figure), prepared(figure.add_subplot())
    bar(how, ax)
    frames = []
    for field, height, title, points in zip(fields, above, titles, dots, strict=True):
        ax.clear()
        layers.filled(prepared(ax), field, height, how)
        layers.marks(ax, points, None, None)
        ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba()).copy()).convert("RGB"))
    # One palette for all frames, or the colors would flicker.
    strip = np.hstack([frames[0], frames[len(frames) // 2], frames[-1]])
    palette = Image.fromarray(strip).quantize(256)
    film = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    rest = film[-2:0:-1] if back else film[-1:] * round(fps)
    save_gif(path, iter(film + rest), fps)
    return path
