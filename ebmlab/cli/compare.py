"""`ebmlab compare`."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

__all__ = ["compare"]


def compare(
    runs: Annotated[tuple[Path, ...], Positional, arg(metavar="RUN [RUN ...]")],
    out: Annotated[Path, arg(metavar="FILE")] = Path("compare.html"),
) -> None:
    """Write one page on several runs: curves on common axes, configurations, held-out numbers.

    The page opens offline. Runs may be of different methods and kinds; numbers on held-out data
    are those that `ebmlab evaluate` left.

    Args:
        runs: folders that `ebmlab train` wrote.
        out: the page, which ends in .html.
    """
    from ebmlab.runs.compare import compare as compared

    done = compared(runs, out)
    for line in done.missing:
        sys.stderr.write(f"ebmlab: left out: {line}\n")
    sys.stdout.write(f"{done.page}\n")
