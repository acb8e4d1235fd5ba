"""A lock on a folder that holds among processes, and that a killed one does not leave behind."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebmlab.errors import FileError

if sys.platform != "win32":
    import fcntl

__all__ = ["alone", "held"]

LOCK = ".lock"


class _Held:
    """A lock that this process has: whose it is, and how many times over."""

    def __init__(self, path: Path) -> None:
        self.owner, self.depth = _self(), 0
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(self.descriptor)
        except OSError as error:
            os.close(self.descriptor)
            raise _busy(path.parent) from error


# What the system knows of this process too, and tells nobody.
_OWN: dict[Path, _Held] = {}


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Keep all others out of a folder; gives whether it was free before.

    The lock belongs to a thread, which may take it again. The system drops it when the process
    ends, however it ends; processes that it forked do not keep it.

    Raises:
        FileError: another process, or another thread, has it.
        OSError: the folder cannot be written.
    """
    path = folder.resolve() / LOCK
    own = _OWN.get(path)
    if own is None or own.owner[0] != os.getpid():
        own = _OWN[path] = _Held(path)
    elif own.owner != _self():
        raise _busy(folder)
    own.depth += 1
    try:
        yield own.depth == 1
    finally:
        own.depth -= 1
        if not own.depth:
            del _OWN[path]
            os.close(own.descriptor)


@contextmanager
def alone(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Wait until nobody else writes into a folder (or, not shared, reads from it), for a moment.

    Raises:
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY) if sys.platform != "win32" else None
    try:
        if descriptor is not None and sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    # Unlike flock's, these locks stay behind when a process forks workers and is killed.
    if sys.platform != "win32":
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _busy(folder: Path) -> FileError:
    return FileError(
        f"{folder} is in use by another run that goes on; wait for its end, or choose another "
        "folder"
    )


def _self() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()
