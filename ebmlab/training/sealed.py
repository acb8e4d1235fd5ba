"""Sealed files: every bit is covered by one SHA-256 that the file itself carries.

The field `sha256` holds the digest of the whole content, itself read as zeros: safetensors keep it
in their header, so that any reader opens them, texts of JSON in a field of their own. A digest
finds damage; it is no signature, for who alters a file on purpose can seal it again.
"""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialize
from torch import Tensor

from ebmlab._disk import read_regular
from ebmlab.errors import FileError
from ebmlab.training.strict import parsed

__all__ = ["BLANK", "Sealed", "named", "read_tensors", "seal", "seal_tensors", "verified"]

FORMAT = "ebmlab.checkpoint"
VERSION = "1"
BLANK = "0" * 64
# Inside a string of JSON each quotation mark is escaped, so this occurs only as a key.
SEAL = re.compile(rb'"sha256": ?"([0-9a-f]{64})"')
# Of a header: names, shapes and places of tensors, and what else there is as text.
MOST_HEADER = 2**24


class Sealed(NamedTuple):
    """The content of a file, in pieces, and the digest that it carries."""

    pieces: tuple[bytes | memoryview, ...]
    digest: str


def seal(content: bytes | memoryview, start: int = 0, stop: int | None = None) -> Sealed:
    """Content whose field `sha256`, blank as yet, lies between `start` and `stop`."""
    content = memoryview(content)
    place = SEAL.search(content[start:stop])
    assert place is not None
    first, last = start + place.start(1), start + place.end(1)
    digest = _digest(content, first, last)
    return Sealed((content[:first], digest.encode(), content[last:]), digest)


def verified(path: Path, content: bytes, start: int = 0, stop: int | None = None) -> str:
    """The digest of content that was read from `path`.

    Raises:
        FileError: it was cut short or altered, or carries no digest.
    """
    view = memoryview(content)
    place = SEAL.search(view[start:stop])
    if place is None:
        raise FileError(
            f"{path} carries no SHA-256: it is damaged, or was not written by ebmlab.training"
        )
    first, last = start + place.start(1), start + place.end(1)
    stored, found = content[first:last].decode(), _digest(view, first, last)
    if stored != found:
        raise FileError(
            f"{path} is damaged: its SHA-256 should be {stored[:12]}… and is {found[:12]}…; it "
            "was cut short or altered: take an earlier copy"
        )
    return stored


def seal_tensors(tensors: dict[str, Tensor], text: str) -> Sealed:
    """A file of safetensors that holds tensors and a text."""
    metadata = {"format": FORMAT, "version": VERSION, "sha256": BLANK, "manifest": text}
    content = serialize(tensors, metadata)
    header = _header_size(content)
    if header > MOST_HEADER:
        raise FileError(
            f"the header takes {header:,} bytes, of at most {MOST_HEADER:,}; keep long texts and "
            "many small tensors elsewhere"
        )
    return seal(content, 8, 8 + header)


def read_tensors(path: Path, most: int | None = None) -> tuple[dict[str, Tensor], str, str]:
    """The tensors, the text and the digest of a sealed file, of at most so many bytes.

    Raises:
        FileError: the file is missing, no file, too large, cut short, altered, or of another kind.
    """
    try:
        header = _header_size(read_regular(path, most, first=8))
        # What is no such file is not read whole to find that out.
        content = read_regular(path, most, first=8 + min(header, MOST_HEADER))
        if len(content) == 8 + header:
            content = read_regular(path, most)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    if len(content) < 8 + header:
        raise FileError(
            f"{path} is empty, cut short or no checkpoint: it has {len(content)} bytes, its "
            f"header asks for {8 + header}; take an earlier copy"
        )
    digest = verified(path, content, 8, 8 + header)
    try:
        metadata = parsed(content[8 : 8 + header].decode())["__metadata__"]
        kind, text = (metadata["format"], metadata["version"]), str(metadata["manifest"])
        tensors = parse(content) if kind == (FORMAT, VERSION) else {}
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FileError(f"{path} is no checkpoint: {error!r}") from error
    if kind != (FORMAT, VERSION):
        raise FileError(
            f"{path} is {kind[0]} version {kind[1]}; this release reads {FORMAT} version "
            f"{VERSION}: load it with the release that wrote it"
        )
    return tensors, text, digest


def named(path: Path) -> str | None:
    """The digest that a file of tensors says it has, whole or not; None where it says none."""
    try:
        header = _header_size(read_regular(path, first=8))
        place = SEAL.search(read_regular(path, first=8 + min(header, MOST_HEADER)))
    except OSError:
        return None
    return None if place is None else place[1].decode()


def _header_size(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def _digest(content: memoryview, start: int, stop: int) -> str:
    sha = hashlib.sha256(content[:start])
    sha.update(BLANK.encode())
    sha.update(content[stop:])
    return sha.hexdigest()
