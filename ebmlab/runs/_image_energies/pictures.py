"""Pictures of an energy of images: samples, their film, energies, and what may be hidden."""

from pathlib import Path

import torch
from torch import Tensor

from ebmlab import metrics, plot
from ebmlab.runs._image_energies import chains
from ebmlab.runs._image_energies.chains import answers, decoded, from_noise, longer
from ebmlab.runs._image_energies.masks import hidden
from ebmlab.runs._image_energies.numbers import codes_of, energies_at_lowest, shown_images
from ebmlab.runs._image_energies.run import ImageEnergyRun
from ebmlab.runs.kind import Sketch, saved

__all__ = ["draw_image_energy", "draw_samples", "fill_in"]

COLUMNS, ROWS, SHEET, SEEN = 12, 2, 8, 500
IMAGES, ANSWERS, FPS = 6, 6, 10.0


def draw_image_energy(built: ImageEnergyRun, out: Path, sketch: Sketch) -> list[Path]:
    """Write samples.png (with the nearest training images), reconstructions.png, energies.png."""
    images, rng = shown_images(built, sketch.data), _rng(built, 0)
    held, n = images.test_images[:SEEN], COLUMNS * ROWS
    codes = from_noise(built, SEEN, rng).state.y
    made = decoded(built, codes[:n])
    index = metrics.nearest(made, images.images[:]).which
    rows = [held[:n], made, images.images[index]]
    names = [name for name in ("held out", "samples", "nearest") for _ in range(ROWS)]
    heights = {
        "held-out codes": energies_at_lowest(built, held, rng),
        "samples": built.energy_of(codes),
        "10 times longer": built.energy_of(longer(built, codes, rng)),
    }
    again = torch.cat([held[:COLUMNS], decoded(built, codes_of(built, held[:COLUMNS]))])
    figures = {
        "samples": _sheet(torch.cat(rows), COLUMNS, sketch.title, names),
        "reconstructions": _sheet(again, COLUMNS, sketch.title, ["held out", "decoded"]),
        "energies": plot.energies(heights, title=sketch.title).figure,
    }
    return saved(out, figures)


def draw_samples(built: ImageEnergyRun, out: Path, n: int, seed: int) -> list[Path]:
    """Write n samples into a picture, and beside it the film of their chains from noise."""
    chain = from_noise(built, n, _rng(built, seed), thin=chains.STEPS)
    frames = torch.stack([decoded(built, codes) for codes in chain.samples])
    title = f"{built.config.method} on {built.config.data}: {n} chains from noise"
    sheet = plot.images(frames[-1], SHEET, title=title).figure
    film = plot.animate_images(frames, out.with_suffix(".gif"), columns=SHEET, fps=FPS)
    return [*saved(out.parent, {out.stem: sheet}), film]


def fill_in(
    built: ImageEnergyRun, out: Path, mask: str, data: str | None, seed: int
) -> list[Path]:
    """Write held-out images with a part hidden, several answers to each, and the truth."""
    rng, rows = _rng(built, seed), []
    for image in shown_images(built, data).test_images[:IMAGES]:
        seen = ~hidden(mask, *image.shape[1:]).to(image.device)
        guesses = decoded(built, answers(built, image, seen, ANSWERS, rng))
        gray = torch.where(seen, image, 0.5)
        rows += [gray[None], torch.where(seen, image, guesses), image[None]]
    names = ["seen", *[f"answer {k + 1}" for k in range(ANSWERS)], "truth"]
    title = f"{built.config.method} on {data or built.config.data}: {mask} hidden"
    picture = plot.images(torch.cat(rows), len(names), title=title, headings=names)
    return saved(out.parent, {out.stem: picture.figure})


def _sheet(images: Tensor, columns: int, title: str, sides: list[str]) -> object:
    return plot.images(images, columns, title=title, sides=sides).figure


def _rng(built: ImageEnergyRun, seed: int) -> torch.Generator:
    return torch.Generator(built.device).manual_seed(seed)
