"""`ebmlab inpaint`."""

import sys
from pathlib import Path
from typing import Annotated

from ebmlab.cli.arguments import Other, Run, either

__all__ = ["inpaint"]


def inpaint(
    run: Run,
    mask: str = "lower",
    out: Annotated[Path | None, either("FILE", "inpaint-MASK.png in RUN")] = None,
    data: Other = None,
    seed: int = 0,
    device: Other = None,
) -> None:
    """Hide a part of held-out images, and draw several answers beside each other.

    Args:
        run: the folder that `ebmlab train` wrote.
        mask: what is hidden: lower, upper, left, right or center.
        out: the picture, which ends in .png.
        data: other images of the same shape.
        seed: of the chains.
        device: where to compute: cpu, cuda, …
    """
    from ebmlab.runs.generate import inpaint as inpainted

    for path in inpainted(run, mask=mask, out=out, data=data, seed=seed, device=device):
        sys.stdout.write(f"{path}\n")
