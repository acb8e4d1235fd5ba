"""`ebmlab export`."""

import sys
from pathlib import Path
from typing import Annotated

from ebmlab.cli.arguments import Run, either

__all__ = ["export"]


def export(
    run: Run,
    out: Annotated[Path | None, either("FILE", "encoder.onnx and encoder.pt2 in RUN")] = None,
) -> None:
    """Write the encoder of a run on images for use without ebmlab, checked against its codes.

    encoder.onnx is for ONNX (pip install ebmlab[export]), encoder.pt2 a program of torch.export,
    which torch alone writes and reads. Both take any number of images at once, and say in their
    metadata what goes in and comes out.

    Args:
        run: the folder that `ebmlab train` wrote.
        out: one file, which ends in .onnx or .pt2.
    """
    from ebmlab.runs.export import export as exported

    for path in exported(run, out=out):
        sys.stdout.write(f"{path}\n")
