"""What was read of a folder, kept in the cache, and made again where it is stale or damaged."""

import hashlib
import json
import math
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from statistics import median_low
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebmlab._progress import progress_bar
from ebmlab.data._files import cache_folder, require_writable, unwritable, write_whole
from ebmlab.data._folders.decoding import is_gray, opened
from ebmlab.data._folders.listing import Listing
from ebmlab.data._folders.reading import in_threads, named, pixels
from ebmlab.errors import DataError

__all__ = ["Kept", "Mapped", "Survey", "fits", "mapped", "surveyed"]

# Raised where pixels of the same files would come out otherwise.
FORMAT = 1
BLOCK = 256
# After so many seconds without a byte nobody is writing any more.
LEFT_BEHIND = 3600.0


class Survey(NamedTuple):
    """What the headers of a folder's images say.

    Attributes:
        channels: 1 where all are gray, else 3.
        side: the median of their shorter sides.
        broken: why, by the names of those that cannot be opened.
    """

    channels: int
    side: int
    broken: dict[str, str]


class Mapped:
    """Pixels (n, c, h, w) in a file, of which memory holds what is in use."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._pixels = np.memmap(path, np.uint8, "r", shape=shape)

    def __call__(self, rows: Tensor) -> Tensor:
        """Pixels (k, c, h, w) of rows (k,)."""
        return torch.from_numpy(self._pixels[rows.numpy()])


class Kept(NamedTuple):
    """What is kept of a folder.

    Attributes:
        pixels: of all that can be read.
        rows: where those stand in the listing.
        broken: why, by the names of those that cannot be read.
    """

    pixels: Mapped
    rows: list[int]
    broken: dict[str, str]


def surveyed(listing: Listing) -> Survey:
    """What the headers say, from the cache if these files were seen before.

    Raises:
        DataError: none can be opened, or the cache cannot be written.
    """
    path = _place(listing) / "survey.json"
    if (known := _unsealed(path)) is not None:
        return Survey(known["channels"], known["side"], known["broken"])
    require_writable(path.parent)

    def header(row: int) -> tuple[bool, int]:
        with opened(listing.path(row)) as image:
            return is_gray(image), min(image.size)

    seen: list[tuple[bool, int]] = []
    broken: dict[str, str] = {}
    for row, found in _all(listing, "opening", header):
        if isinstance(found, str):
            broken[listing.entries[row].name] = found
        else:
            seen.append(found)
    if not seen:
        raise DataError(named(broken, len(listing.entries), str(listing.root)))
    gray = all(gray for gray, _ in seen)
    survey = Survey(1 if gray else 3, median_low(side for _, side in seen), broken)
    _seal(path, {"root": _root(listing), **survey._asdict()})
    return survey


def fits(listing: Listing, event: tuple[int, int, int], most: int) -> bool:
    """Whether the cache has room for pixels (c, h, w) of all images, within `most` bytes."""
    path = _file(listing, event)
    if path.exists():
        return path.stat().st_size <= most
    require_writable(path.parent)
    needed = len(listing.entries) * math.prod(event)
    return needed <= min(most, shutil.disk_usage(path.parent).free)


def mapped(listing: Listing, event: tuple[int, int, int]) -> Kept:
    """The pixels of all that can be read.

    Raises:
        DataError: none can be read, or the cache cannot be written.
    """
    path = _file(listing, event)
    known = _unsealed(path.with_suffix(".json"))
    if known is None or _digest(path) != known["sha256"]:
        if path.exists():
            warnings.warn(f"{path} is damaged; it is made again", stacklevel=4)
        known = _made(listing, event, path)
    broken = known["broken"]
    rows = [i for i, entry in enumerate(listing.entries) if entry.name not in broken]
    return Kept(Mapped(path, (len(rows), *event)), rows, broken)


def _made(listing: Listing, event: tuple[int, int, int], path: Path) -> dict[str, Any]:
    """Write the pixels and what is known of them, each whole or not at all."""
    _swept(listing, path.parent)
    partial = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    try:
        with partial.open("xb") as file:
            known = _written(listing, event, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    finally:
        partial.unlink(missing_ok=True)
    _seal(path.with_suffix(".json"), known)
    return known


def _written(listing: Listing, event: tuple[int, int, int], file: BinaryIO) -> dict[str, Any]:
    one = pixels(lambda row: opened(listing.path(row)), event)
    sha256, broken = hashlib.sha256(), {}
    for row, found in _all(listing, "reading", one):
        if isinstance(found, str):
            broken[listing.entries[row].name] = found
            continue
        raw = found.tobytes()
        sha256.update(raw)
        file.write(raw)
    if len(broken) == len(listing.entries):
        raise DataError(named(broken, len(broken), str(listing.root)))
    return {"sha256": sha256.hexdigest(), "broken": broken}


def _all(listing: Listing, doing: str, work: Any) -> Iterator[tuple[int, Any]]:
    """What `work` gives for each image or why it fails, in order, a block at a time."""
    n = len(listing.entries)
    with progress_bar(f"{doing} {listing.root.name}", n, True) as bar:
        for start in range(0, n, BLOCK):
            rows = range(start, min(start + BLOCK, n))
            yield from zip(rows, in_threads(work, rows), strict=True)
            bar.update(len(rows))


def _place(listing: Listing) -> Path:
    return cache_folder() / "folders" / listing.digest


def _file(listing: Listing, event: tuple[int, int, int]) -> Path:
    return _place(listing) / f"{event[0]}x{event[1]}.pixels"


def _root(listing: Listing) -> str:
    return os.path.realpath(listing.root)


def _digest(path: Path) -> str | None:
    try:
        found = path.stat()
        return _sha256(path, found.st_ino, found.st_size, found.st_mtime_ns)
    except OSError:
        return None


# A command that opens a folder twice reads its gigabytes once.
@lru_cache(maxsize=8)
def _sha256(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _swept(listing: Listing, place: Path) -> None:
    """Remove what the killed left here half written, and what was kept of an older state."""
    for path in place.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > LEFT_BEHIND:
            path.unlink(missing_ok=True)
    for path in place.parent.glob("*/survey.json"):
        known = _unsealed(path)
        if path.parent != place and known is not None and known["root"] == _root(listing):
            shutil.rmtree(path.parent, ignore_errors=True)


def _seal(path: Path, known: dict[str, Any]) -> None:
    text = json.dumps(known, sort_keys=True)
    write_whole(path, json.dumps({"known": known, "seal": _of(text)}, sort_keys=True).encode())


def _unsealed(path: Path) -> dict[str, Any] | None:
    """What was kept there; None if there is nothing, or it is not as it was written."""
    try:
        stored = json.loads(path.read_bytes())
        known = stored["known"]
        return known if _of(json.dumps(known, sort_keys=True)) == stored["seal"] else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _of(text: str) -> str:
    return hashlib.sha256(f"{FORMAT} {text}".encode()).hexdigest()
