"""Progress bars, on terminals and in notebooks only."""

import sys
import warnings
from contextlib import nullcontext
from typing import Any

__all__ = ["progress_bar"]


class _Unseen(nullcontext):
    """No bar: what tqdm makes where it is disabled costs as much as a short run."""

    def __enter__(self) -> "_Unseen":
        return self

    def update(self, steps: int = 1) -> None: ...

    def set_postfix(self, *args: Any, **kwargs: Any) -> None: ...

    def close(self) -> None: ...


def progress_bar(title: str, steps: int, shown: bool, *, start: int = 0) -> Any:
    """A bar of tqdm's; it writes nothing into files, pipes and closed streams."""
    if not shown or sys.stderr is None:
        return _Unseen()
    with warnings.catch_warnings():
        # In a notebook without its widgets tqdm warns, and the bar is one of text.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    # tqdm decides None by whether the stream is a terminal.
    return tqdm(total=steps, initial=start, desc=title, unit="step", disable=None)
