"""`ebmlab sample`."""

import sys
from pathlib import Path
from typing import Annotated

from ebmlab.cli.arguments import Other, Run, either

__all__ = ["sample"]


def sample(
    run: Run,
    n: int = 64,
    out: Annotated[Path | None, either("FILE", "samples-N.png in RUN")] = None,
    seed: int = 0,
    device: Other = None,
) -> None:
    """Draw samples of an energy of images: a picture, and beside it a film of the chains (GIF).

    Args:
        run: the folder that `ebmlab train` wrote.
        n: how many chains start from noise.
        out: the picture, which ends in .png; the film has its name.
        seed: of the chains.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs.generate import sample as sampled

    for path in sampled(run, n=n, out=out, seed=seed, device=device):
        sys.stdout.write(f"{path}\n")
