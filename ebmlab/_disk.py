"""Files read with bounds and written whole: never half of one, never a pipe in place of one."""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

__all__ = [
    "TEMPORARY",
    "append_line",
    "cut_at",
    "lines_of",
    "placing",
    "read_regular",
    "regular",
    "sync",
    "write_whole",
]

# The names that files have until they are whole: ".<name>.<8 digits>.tmp".
TEMPORARY = ".*.????????.tmp"

Content = bytes | memoryview
Stamp = Callable[[], tuple[int, bytes]]


def read_regular(
    path: Path, most: int | None = None, *, first: int | None = None, last: int | None = None
) -> bytes:
    """The bytes of a file, or the first or last so many of them.

    A pipe or a device in its place, which may never end, is refused.

    Raises:
        OSError: there is no such file, it is none, or it has more than `most` bytes.
    """
    with regular(path, most) as (file, size):
        file.seek(size - min(last or size, size))
        return file.read(size if first is None else min(first, size))


@contextmanager
def regular(path: Path, most: int | None = None) -> Iterator[tuple[BufferedReader, int]]:
    """A file opened for reading, and its size; raises as `read_regular`."""
    with _opened(path, os.O_RDONLY) as descriptor:
        size = os.fstat(descriptor).st_size
        if most is not None and size > most:
            raise OSError(f"it has {size:,} bytes, of at most {most:,} expected")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file, size


def lines_of(path: Path, most: int) -> Iterator[bytes]:
    """The lines of a file as they stand there, read one by one.

    Raises:
        OSError: there is no such file, it is none, or a line has more than `most` bytes.
    """
    with _opened(path, os.O_RDONLY) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as f:
        while line := f.readline(most + 1):
            if len(line) > most:
                raise OSError(f"a line has more than {most:,} bytes")
            yield line


def sync(path: Path) -> None:
    """Make what was written to a file last through a power failure, or a rename in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def placing(path: Path, *pieces: Content, stamp: Stamp | None = None) -> Iterator[None]:
    """Write a file beside its place, and put it there, whole and on the disk, on leaving.

    On any failure, also of the body, the old file stays and nothing new is left. A stamp tells,
    once the pieces are written, what to write over them and where.

    Raises:
        OSError: the file could not be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            for piece in pieces:
                file.write(piece)
            if stamp is not None:
                place, late = stamp()
                file.seek(place)
                file.write(late)
            file.flush()
            os.fsync(file.fileno())
        yield
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    # Where the system knows no such thing as a folder's own content.
    with contextlib.suppress(OSError):
        sync(path.parent)


def write_whole(path: Path, *pieces: Content, stamp: Stamp | None = None) -> None:
    """Write a file so that it is the old or the new one at every moment; raises as `placing`."""
    with placing(path, *pieces, stamp=stamp):
        pass


def append_line(path: Path, line: bytes) -> None:
    """Add to a file, which is made where it is missing; a part of the line never stays.

    Raises:
        OSError: the line could not be written.
    """
    with _opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
        size = os.fstat(descriptor).st_size
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except BaseException:
            os.ftruncate(descriptor, size)
            raise


def cut_at(path: Path, end: int) -> None:
    """Leave the first `end` bytes of a file, which is made where it is missing.

    Raises:
        OSError: it cannot be written.
    """
    with _opened(path, os.O_WRONLY | os.O_CREAT) as descriptor:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    # Without O_NONBLOCK a pipe would be waited for before it can be told from a file.
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no regular file")
        yield descriptor
    finally:
        os.close(descriptor)
