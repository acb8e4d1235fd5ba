"""Pictures of a run on images: its codes, their spectrum, what it reconstructs."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab import plot
from ebmlab.runs._images.numbers import codes_of, shown_images
from ebmlab.runs._images.reconstructions import reconstructed
from ebmlab.runs._images.run import ImageRun
from ebmlab.runs.kind import Sketch, saved

__all__ = ["draw_images"]

# Images whose codes are drawn; their reconstructions.
MOST, SHOWN = 2000, 10


def draw_images(built: ImageRun, out: Path, sketch: Sketch) -> list[Path]:
    """Write codes.png, spectrum.png, and where y is decoded reconstructions.png."""
    images = shown_images(built, sketch.data, MOST)
    codes, labels = codes_of(built, images.test_images), images.test_labels
    name = built.preset.recipe.__name__
    pictures: dict[str, Any] = {
        "codes": _codes(codes, labels, sketch.title),
        "spectrum": plot.spectrum({name: codes}, title=sketch.title).figure,
    }
    shown = images.test_images[:SHOWN]
    if made := reconstructed(built, shown):
        sheet, sides = torch.cat(list(made.values())), tuple(made)
        ax = plot.images(sheet, columns=len(shown), title=sketch.title, sides=sides)
        pictures["reconstructions"] = ax.figure
    return saved(out, pictures)


def _codes(codes: Tensor, labels: Tensor | None, title: str) -> Any:
    """Codes in the plane that they vary most in, with a unit that is the same in both ways.

    Collapsed codes have their place too, on a line or in a point.
    """
    centered = codes.double() - codes.double().mean(0)
    flat = functional.pad(centered, (0, max(0, 2 - codes.shape[1])))
    _, spread, ways = torch.linalg.svd(flat, full_matrices=False)
    total = spread.square().sum().clamp(min=torch.finfo(spread.dtype).tiny)
    shares = (spread.square() / total).tolist()[:2]
    first, second = (f"{share:.0%} of the variance" for share in shares)
    names = f"first principal direction, {first}", f"second principal direction, {second}"
    ax = plot.codes(flat @ ways[:2].mT, labels, names=names, title=title)
    ax.set_aspect("equal", adjustable="datalim")
    return ax.figure
