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

    Args, Raises: as in `evaluate`.
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
    shown = images.test_images[:SHOWN]
    if made := reconstructed(built, shown):
        sheet = torch.cat(list(made.values()))
        ax = plot.images(sheet, columns=len(shown), title=name, sides=tuple(made))
        pictures["reconstructions"] = ax.figure
    for stem, figure in pictures.items():
        figure.savefig(run / f"{stem}.png")
    return [run / f"{stem}.png" for stem in pictures]


def _codes(codes: Tensor, labels: Tensor, title: str) -> Any:
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


def _columns(records: list[dict[str, Any]]) -> tuple[dict[str, list[float]], list[float]]:
    """Numbers by name over the recorded steps, NaN where a step lacks one.

    Those that are the loss by another name are left out.
    """
    rows = [{"loss": r["value"], **r["terms"], **r["metrics"]} for r in records]
    names = dict.fromkeys(name for row in rows for name in row)
    rows = [{k: v for k, v in row.items() if v is not None} for row in rows]
    columns = {name: [float(row.get(name, "nan")) for row in rows] for name in names}
    loss = columns.pop("loss")
    others = {name: column for name, column in columns.items() if column != loss}
    return {"loss": loss, **others}, [float(record["step"]) for record in records]
