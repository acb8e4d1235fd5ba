"""Ctrl-C as a question: the first one is noted, the second one ends at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["noticed"]


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Gives what tells whether Ctrl-C was pressed, so that a loop ends where all is whole.

    A second Ctrl-C raises KeyboardInterrupt. Signals reach the main thread only: elsewhere the
    answer stays no.

    Example:
        >>> with noticed() as pressed:
        ...     signal.raise_signal(signal.SIGINT)
        ...     pressed()
        True
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    seen: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)
