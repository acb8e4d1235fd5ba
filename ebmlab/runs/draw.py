"""Pictures of a run: its curves, its codes, their spectrum, what it reconstructs."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab import plot
from ebmlab.errors import FileError
from ebmlab.runs.evaluate import codes_of, shown_images
from ebmlab.runs.reconstructions import reconstructed
from ebmlab.runs.restore import restore
from ebmlab.training.record import RECORD, read_record

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
        FileError: the folder holds no run, or no checkpoint, or no recorded step.
        ConfigurationError: the images are not of the run's shape.
        DataError: the images are missing.
    """
    config, built, step = restore(run, device)
    records = read_record(run / RECORD)
    if not records:
        raise FileError(f"{run / RECORD} holds no step; go on with `ebmlab train … --resume`")
    images = shown_images(built, data, MOST)
    codes, labels = codes_of(built, images.test_images), images.test_labels
    name = f"{config.method} on {data or config.data}, step {step}"
    pictures: dict[str, Any] = {
        "curves": plot.history(*_columns(records), title=name),
        "codes": _codes(codes, labels, name),
        "spectrum": plot.spectrum({config.method: codes}, title=name).figure,
    }
    made = reconstructed(built, images.test_images[:SHOWN])
    if made:
        sheet, columns = torch.cat(list(made.values())), len(images.test_images[:SHOWN])
        pictures["reconstructions"] = plot.images(
            sheet, columns=columns, title=name, sides=tuple(made)
        ).figure
    paths = [run / f"{stem}.png" for stem in pictures]
    for path, figure in zip(paths, pictures.values(), strict=True):
        figure.savefig(path)
    return paths


def _codes(codes: Tensor, labels: Tensor, title: str) -> Any:
    """Codes in the plane that they vary most in, with a unit that is the same in both ways.

    Collapsed codes have their place too, on a line or in a point.
    """
    centered = codes.double() - codes.double().mean(0)
    flat = functional.pad(centered, (0, max(0, 2 - codes.shape[1])))
    _, spread, ways = torch.linalg.svd(flat, full_matrices=False)
    total = spread.square().sum().clamp(min=torch.finfo(spread.dtype).tiny)
    first, second = (spread.square() / total).tolist()[:2]
    names = (
        f"first principal direction, {first:.0%} of the variance",
        f"second principal direction, {second:.0%} of the variance",
    )
    ax = plot.codes(flat @ ways[:2].mT, labels, names=names, title=title)
    ax.set_aspect("equal", adjustable="datalim")
    return ax.figure


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
