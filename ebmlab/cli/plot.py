"""`ebmlab plot`."""

import sys

from ebmlab.cli.arguments import Other, Run

__all__ = ["plot"]


def plot(run: Run, data: Other = None, device: Other = None) -> None:
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
