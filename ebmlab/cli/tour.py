"""`ebmlab tour`."""

import sys
from pathlib import Path

from ebmlab.cli.terminal import INTERRUPTED

__all__ = ["tour"]


def tour(
    out: Path = Path("tour"),
    seed: int = 0,
    device: str = "cpu",
    quick: bool = False,
    threads: int = 1,
) -> None:
    """One relation, many answers: train six families of energies on the same pairs and draw them.

    Writes index.html (self-contained), the pictures and metrics.json into a folder, and prints a
    table. Ctrl-C ends it early and leaves a whole report of what is done.

    Args:
        out: folder of the report.
        seed: of data, weights and batches.
        device: where to compute: cpu, cuda, …
        quick: fewer steps: a rough picture in seconds.
        threads: of the CPU.
    """
    from ebmlab.tour import run_tour

    report = run_tour(out, seed=seed, device=device, quick=quick, threads=threads)
    if not report.complete:
        sys.exit(INTERRUPTED)
