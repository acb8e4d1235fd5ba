"""A chain's film over the landscape that it explores."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ebmlab._checks import require_non_negative, require_positive
from ebmlab._disk import write_whole
from ebmlab.errors import ConfigurationError
from ebmlab.plot.fields import contour
from ebmlab.plot.style import DATA, ENERGY, points, style
from ebmlab.slices import Landscape

__all__ = ["animate", "save_gif"]

_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Chains</title>
<style>body{font:14px sans-serif;margin:1em}img{max-width:100%%;display:block}
input{vertical-align:middle;width:60%%}</style>
<img alt="chains over a landscape"><button>pause</button>
<input type="range" min="0" max="%(last)d" value="0" aria-label="frame"> <output>0</output>
<script>
const frames=[%(frames)s], [image,button,slider,shown]=["img","button","input","output"].map(
  name=>document.querySelector(name));
let playing=true;
const show=k=>{image.src="data:image/png;base64,"+frames[k];slider.value=k;shown.textContent=k};
button.onclick=()=>{playing=!playing;button.textContent=playing?"pause":"play"};
slider.oninput=()=>{if(playing)button.onclick();show(+slider.value)};
setInterval(()=>{if(playing)show((+slider.value+1)%%frames.length)},%(pause)d);
show(0);
</script></html>
"""


@style()
def animate(
    landscape: Landscape,
    samples: Tensor,
    path: str | Path,
    *,
    fps: float = 20.0,
    tail: int = 10,
    limits: tuple[float, float] | None = None,
    xlabel: str = "$a$",
    ylabel: str = "$b$",
) -> Path:
    """Film chains over a landscape: one frame per kept draw, each chain with a fading tail.

    The samples are (kept, chains, 2), in the plane's coordinates, and `tail` past draws stay
    visible. The path ends in .gif, or in .html for a page with a slider that needs no other file;
    it is returned. A GIF holds each frame for a whole number of hundredths of a second. Other
    arguments and errors are those of `contour`.

    Raises:
        ConfigurationError: the path ends otherwise.
        ShapeError: samples are not (kept, chains, 2).

    Example:
        >>> import tempfile, torch
        >>> from ebmlab import Plane, energies, landscape
        >>> ring = landscape(energies.Ring().given(), Plane.xy(), resolution=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     animate(ring, torch.zeros(2, 1, 2), f"{folder}/chains.gif").name
        'chains.gif'
    """
    path = Path(path)
    if path.suffix not in {".gif", ".html"}:
        raise ConfigurationError(f"path is {path.name}; a film ends in .gif or .html")
    require_positive("fps", fps)
    require_non_negative("tail", tail)
    places = points("samples", samples, 3)
    figure = Figure(figsize=(4.2, 3.5), dpi=110, layout="compressed")
    canvas = FigureCanvasAgg(figure)
    ax = contour(
        landscape, figure.add_subplot(), limits=limits, xlabel=xlabel, ylabel=ylabel, title=" "
    )
    frames = _frames(canvas, ax, places, tail)
    if path.suffix == ".gif":
        save_gif(path, frames, fps)
    else:
        listed = ",".join(f'"{_png(frame)}"' for frame in frames)
        page = {"frames": listed, "last": len(places) - 1, "pause": round(1000 / fps)}
        write_whole(path, (_PAGE % page).encode())
    return path


def save_gif(path: Path, frames: Iterator[Image.Image], fps: float) -> None:
    """Write a GIF that repeats, each frame shown for two or more whole hundredths of a second."""
    pause = 10 * max(2, round(100 / fps))
    film = {"save_all": True, "append_images": frames, "duration": pause, "loop": 0}
    content = io.BytesIO()
    next(frames).save(content, format="GIF", **film)
    write_whole(path, content.getvalue())


def _frames(
    canvas: FigureCanvasAgg, ax: Axes, places: np.ndarray, tail: int
) -> Iterator[Image.Image]:
    """The still part is drawn once; the chains of each draw are laid over it."""
    canvas.draw()
    still = canvas.copy_from_bbox(canvas.figure.bbox)
    lines = LineCollection([], linewidths=1.2, capstyle="round")
    ax.add_collection(lines)
    heads = ax.scatter(*places[0].T, s=22, color=DATA, edgecolors="white", linewidths=0.6)
    palette: Image.Image | None = None
    for k in range(len(places)):
        recent = places[max(0, k - tail) : k + 1]
        age = np.arange(len(recent) - 1) + tail - len(recent) + 2
        color = np.ones((len(recent) - 1, places.shape[1], 4)) * (*to_rgb(DATA), 1.0)
        color[..., 3] = (age / (tail + 1))[:, None]
        lines.set_segments(list(np.stack([recent[:-1], recent[1:]], 2).reshape(-1, 2, 2)))
        lines.set_edgecolor([tuple(each) for each in color.reshape(-1, 4)])
        heads.set_offsets(places[k])
        ax.set_title(f"draw {k + 1} of {len(places)}")
        canvas.restore_region(still)
        for artist in (lines, heads, ax.title):
            ax.draw_artist(artist)
        frame = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        palette = palette or _palette(frame)
        yield frame.quantize(palette=palette, dither=Image.Dither.NONE)


def _palette(frame: Image.Image) -> Image.Image:
    """One palette for all frames, or the still landscape would flicker.

    It holds 192 colors of the picture, and 64 of the tails' shades over its depths.
    """
    still = frame.quantize(192, dither=Image.Dither.NONE).getpalette() or []
    depth = ENERGY(np.linspace(0, 1, 8))[:, None, :3]
    fade = np.linspace(0.1, 1, 8)[:, None]
    shades = (1 - fade) * depth + fade * np.array(to_rgb(DATA))
    palette = Image.new("P", (1, 1))
    palette.putpalette(still[: 3 * 192] + (255 * shades).round().astype(int).ravel().tolist())
    return palette


def _png(frame: Image.Image) -> str:
    buffer = io.BytesIO()
    frame.save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()
