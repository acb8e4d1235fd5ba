"""Pictures of a run: its curves, its codes, their spectrum, what it reconstructs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmlab import plot
from ebmlab.free_energy import FreeEnergy
from ebmlab.prediction.decoded import decoder_of
from ebmlab.runs.build import Built
from ebmlab.runs.evaluate import codes_of, shown_images
from ebmlab.runs.restore import restore
from ebmlab.slices import Plane
from ebmlab.training.record import read_record

__all__ = ["draw"]

# Images whose codes are drawn; their reconstructions.
MOST, SHOWN = 2000, 10


def draw(run: Path, *, data: str | None = None, device: str | None = None) -> list[Path]:
    """Write curves.png, codes.png, spectrum.png, and where y is decoded reconstructions.png.

    Args:
        run: the folder of `train`.
        data: an image set; None takes the run's.
        device: None takes the run's.

    Raises:
        FileError: the folder holds no run, or no checkpoint, or no record.
        ConfigurationError: the images are not of the run's shape.
        DataError: the images are missing.
    """
    records = read_record(run / "metrics.jsonl")
    config, built, step = restore(run, device)
    images = shown_images(built, data, MOST)
    codes, labels = codes_of(built, images.test_images), images.test_labels
    name = f"{config.method} on {data or config.data}, step {step}"
    pictures: dict[str, Any] = {
        "curves": plot.history(*_columns(records), title=name),
        "codes": plot.codes(Plane.pca(codes).coordinates(codes), labels, title=name).figure,
        "spectrum": plot.spectrum({config.method: codes}, title=name).figure,
    }
    decoded = _decoded(built, images.test_images[:SHOWN])
    if decoded is not None:
        title = f"{name}: y, and what z decodes to"
        sheet = plot.images(decoded, columns=len(decoded) // 2, title=title)
        pictures["reconstructions"] = sheet.figure
    paths = [run / f"{stem}.png" for stem in pictures]
    for path, figure in zip(paths, pictures.values(), strict=True):
        figure.savefig(path)
    return paths


def _columns(records: list[dict[str, Any]]) -> tuple[dict[str, list[float]], list[float]]:
    """Numbers by name over the recorded steps, NaN where a step lacks one.

    Those that are the loss by another name are left out.
    """
    rows = [{"loss": r["value"], **r["terms"], **r["metrics"]} for r in records]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [_number(row.get(name)) for row in rows] for name in names}
    loss = columns.pop("loss")
    others = {name: column for name, column in columns.items() if column != loss}
    return {"loss": loss, **others}, [float(record["step"]) for record in records]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


@torch.no_grad()
def _decoded(built: Built, images: Tensor) -> Tensor | None:
    """y and what its inferred z decodes to, a row each; None where nothing is decoded."""
    energy = built.method.energy
    decode = decoder_of(energy)
    if built.trainable.score is None or decode is None or not isinstance(energy, FreeEnergy):
        return None
    rng = torch.Generator(images.device).manual_seed(0)
    rows = torch.arange(len(images), device=images.device)
    x, y = built.trainable.draw(replace(built.setting, images=images), rows, rng)
    assert isinstance(y, Tensor)
    both = torch.cat([y, decode(x, energy.posterior(x, y, rng=rng).atoms[0])])
    return both if both.ndim == 4 else both.unflatten(1, built.setting.shape)
