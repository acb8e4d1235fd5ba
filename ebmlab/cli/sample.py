"""`ebmlab sample`."""

import sys
from pathlib import Path
from typing import Annotated

from ebmlab.cli.arguments import Other, Run, either

__all__ = ["sample"]


def sample(
    run: Run,
    n: int = 64,
    out: Annotated[Path | None, either("FILE", "samples-N in RUN")] = None,
    seed: int = 0,
    device: Other = None,
) -> None:
    """Draw samples: pictures, and the film of their chains (GIF), of an image energy; or texts.

    Args:
        run: the folder that `ebmlab train` wrote.
        n: how many chains start from noise, or texts are drawn.
        out: the picture, which ends in .png, and the film has its name; of texts a file, .txt.
        seed: of the chains.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs.generate import sample as sampled

    for path in sampled(run, n=n, out=out, seed=seed, device=device):
        sys.stdout.write(f"{path}\n")
