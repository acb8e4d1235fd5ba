"""Which images a folder holds, and of which classes they are."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ebmlab.errors import DataError

__all__ = ["Entry", "Listing", "listed"]

_SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png"),
    *(".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)


class Entry(NamedTuple):
    """A file by its name under the folder, with what tells that it has changed."""

    name: str
    bytes: int
    changed: int


class Listing(NamedTuple):
    """The images of a folder in the order of their names.

    Attributes:
        root: the folder.
        entries: the files.
        classes: names of subfolders; empty where they are no classes.
        digest: what these files are known by: names, sizes and times, wherever the folder lies.
    """

    root: Path
    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    digest: str

    def path(self, row: int) -> Path:
        """Where an image is."""
        return self.root / self.entries[row].name

    def labels(self, rows: Sequence[int]) -> list[int] | None:
        """The number of the class of each; None where there are no classes."""
        numbers = {name: i for i, name in enumerate(self.classes)}
        return [numbers[_top(self.entries[row])] for row in rows] if numbers else None


def listed(root: Path) -> Listing:
    """The images below a folder, by the endings of their names; hidden files are passed over.

    Subfolders are classes if there are two or more, and all images lie in them.

    Raises:
        DataError: it is no folder, cannot be read, or holds no images.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder")
    entries = tuple(sorted(_entries(root)))
    if not entries:
        raise DataError(
            f"{root} holds no images: no file in it or below it ends in one of "
            f"{', '.join(_SUFFIXES)}"
        )
    tops = [_top(entry) for entry in entries if "/" in entry.name]
    classes = tuple(sorted(set(tops)))
    known = len(tops) == len(entries) and len(classes) > 1
    lines = "".join(f"{name}\0{size}\0{changed}\n" for name, size, changed in entries)
    digest = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return Listing(root, entries, classes if known else (), digest)


def _top(entry: Entry) -> str:
    return entry.name.partition("/")[0]


def _entries(root: Path) -> Iterator[Entry]:
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True, onerror=_raise):
        # A link to a folder above would lead round in a ring.
        real = os.path.realpath(folder)
        below[:] = [] if real in seen else [name for name in below if not name.startswith(".")]
        if real in seen:
            continue
        seen.add(real)
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES:
                yield from _entry(root, Path(folder, name))


def _entry(root: Path, path: Path) -> Iterator[Entry]:
    """The file, if it is one: pipes and devices would never end, broken links never begin."""
    try:
        found = path.stat()
    except OSError:
        return
    if stat.S_ISREG(found.st_mode):
        yield Entry(path.relative_to(root).as_posix(), found.st_size, found.st_mtime_ns)


def _raise(error: OSError) -> None:
    raise DataError(f"{error.filename} cannot be read ({error.strerror})") from error
