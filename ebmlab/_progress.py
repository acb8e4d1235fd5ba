"""Progress bars, on terminals and in notebooks only."""

import sys
from typing import Any

__all__ = ["progress_bar"]


def progress_bar(title: str, steps: int, shown: bool, *, start: int = 0) -> Any:
    """A bar of tqdm's; it writes nothing into files, pipes and closed streams."""
    from tqdm.auto import tqdm

    # tqdm decides None by whether the stream is a terminal.
    disable = None if shown and sys.stderr is not None else True
    return tqdm(total=steps, initial=start, desc=title, unit="step", disable=disable)
