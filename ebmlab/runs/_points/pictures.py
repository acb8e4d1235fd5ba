"""Pictures of a run on points: the landscape, samples beside data, and a film of the training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ebmlab import plot
from ebmlab.runs._points.numbers import samples, shown_points
from ebmlab.runs._points.run import DensityRun
from ebmlab.runs.kind import Sketch, saved
from ebmlab.slices import Landscape

__all__ = ["draw_density"]

FINE, SHOWN, COLUMNS, ROWS = 200, 500, 12, 3
# Nats above the minimum where colors end: no mass to speak of lies higher.
TOP, FPS = 12.0, 6.0


def draw_density(built: DensityRun, out: Path, sketch: Sketch) -> list[Path]:
    """Write landscape.png, samples.png, energies.png, and film.gif where frames were kept.

    Of more than two dimensions the landscape is that on the plane of most variance, on which the
    points are projected.
    """
    points = shown_points(built, sketch.data)
    data = points.held_out[:SHOWN]
    drawn, _ = samples(built, len(data))
    field = built.seen(FINE)
    on_plane = [built.plane.coordinates(t) for t in (data, drawn)]
    how = _how(built)
    ax = plot.contour(field, data=on_plane[0], arrows=True, title=sketch.title, **how)
    sheets = [points.images(t[: COLUMNS * ROWS]) for t in (data, drawn)]
    both = [sheet for sheet in sheets if sheet is not None]
    if both:
        sides = [name for name in ("data", "samples") for _ in range(ROWS)]
        sheet = plot.images(torch.cat(both), columns=COLUMNS, title=sketch.title, sides=sides)
        beside = sheet.figure
    else:
        names = ["held-out data", "samples of the model"]
        beside = plot.landscapes([field, field], names, samples=on_plane, **how)
    noise = built.noise().sample(len(data), torch.Generator(data.device).manual_seed(0))
    with torch.no_grad():
        seen = {"data": data, "samples": drawn, "noise": noise}
        heights = {name: built.u(each) for name, each in seen.items()}
    populations = plot.energies(heights, title=sketch.title)
    figures = {"landscape": ax.figure, "samples": beside, "energies": populations.figure}
    paths = saved(out, figures)
    return [*paths, *_film(field, sketch, out / "film.gif", how)]


def _how(built: DensityRun) -> dict[str, Any]:
    if built.flat:
        return {"limits": (0.0, TOP), "xlabel": "$y_1$", "ylabel": "$y_2$"}
    return {"xlabel": "first principal direction", "ylabel": "second"}


def _film(field: Landscape, sketch: Sketch, path: Path, how: dict[str, Any]) -> list[Path]:
    """The frames as they were kept, one after another; none of energies that are not finite."""
    steps = [step for step, frame in sorted(sketch.frames.items()) if frame.amin().isfinite()]
    if not steps:
        return []
    lo, hi = float(field.a[0]), float(field.a[-1])
    kept = [sketch.frames[step] for step in steps]
    lines = [torch.linspace(lo, hi, len(frame), device=frame.device) for frame in kept]
    fields = [
        replace(field, energy=frame, a=line, b=line)
        for frame, line in zip(kept, lines, strict=True)
    ]
    titles = [f"step {step}" for step in steps]
    return [plot.sweep(fields, titles, path, fps=FPS, back=False, **how)]
