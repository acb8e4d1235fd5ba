"""`ebmlab plot`."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

__all__ = ["plot"]


def plot(
    run: Annotated[Path, Positional, arg(metavar="RUN")],
    data: Annotated[
        str | None, arg(metavar="NAME", help_behavior_hint="(default: the run's)")
    ] = None,
    device: Annotated[
        str | None, arg(metavar="NAME", help_behavior_hint="(default: the run's)")
    ] = None,
) -> None:
    """Draw a run: its curves, its codes by class, their spectrum, and what it reconstructs.

    Writes curves.png, codes.png and spectrum.png into the run's folder, and reconstructions.png
    where the method decodes images.

    Args:
        run: the folder that `ebmlab train` wrote.
        data: other images of the same shape.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs.draw import draw

    for path in draw(run, data=data, device=device):
        sys.stdout.write(f"{path}\n")
