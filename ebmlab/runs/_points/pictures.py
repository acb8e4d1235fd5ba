"""Pictures of a run on points: the landscape with data and samples, and its film."""

from pathlib import Path

from torch import Tensor

from ebmlab import plot
from ebmlab.runs._points.numbers import samples, shown_points
from ebmlab.runs._points.run import DensityRun
from ebmlab.runs.kind import Sketch, saved
from ebmlab.slices import Landscape

__all__ = ["draw_density"]

FINE, SHOWN, IMAGES = 200, 1000, 40
# Nats above the minimum at which colors end: beyond, there is no mass to speak of.
TOP = 12.0
FPS = 6.0


def draw_density(built: DensityRun, out: Path, sketch: Sketch) -> list[Path]:
    """Write landscape.png, samples.png, and film.gif where frames were kept."""
    points = shown_points(built, sketch.data)
    data = points.held_out[:SHOWN]
    drawn, _ = samples(built, len(data))
    field = built.seen(FINE)
    places = [built.plane.coordinates(t) for t in (data, drawn)]
    names = [f"E, and {len(t)} {what}" for t, what in zip(places, ("data", "samples"))]
    landscape = plot.landscapes(
        [field, field], names, samples=[None, None], data=None, limits=(0.0, TOP)
    )
    return saved(out, {"landscape": landscape})
