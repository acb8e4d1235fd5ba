"""Sealed files: every bit is covered by one SHA-256 that the file itself carries.

The field `sha256` holds the digest of the whole content, itself read as zeros: safetensors keep it
in their header, so that any reader opens them, texts of JSON in a field of their own. A digest
finds damage; it is no signature, for who alters a file on purpose can seal it again.
"""

import re
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from torch import Tensor

from ebmlab._disk import read_regular, regular
from ebmlab.errors import FileError
from ebmlab.training.digest import PIECE, Digest, in_parts
from ebmlab.training.layout import Layout, bytes_of, header_of

__all__ = ["BLANK", "Sealed", "named", "read_tensors", "seal", "seal_tensors", "verified"]

FORMAT = "ebmlab.checkpoint"
VERSION = "1"
BLANK = "0" * 64
# Inside a string of JSON each quotation mark is escaped, so this occurs only as a key.
SEAL = re.compile(rb'"sha256": ?"([0-9a-f]{64})"')
# Of a header: names, shapes and places of tensors, and what else there is as text.
MOST_HEADER = 2**24


@dataclass(frozen=True, eq=False)
class Sealed:
    """The content of a file, in pieces, and its digest, which is found while they are written.

    Attributes:
        blank: the pieces as they are hashed; what they are made of must not change meanwhile.
        place: where in the first the digest belongs; None where the file does not carry it.
    """

    blank: tuple[bytes | memoryview, ...]
    place: int | None
    _digest: Digest

    @classmethod
    def of(cls, *blank: bytes | memoryview, place: int | None = None) -> "Sealed":
        """Pieces whose hashing begins now."""
        views = (part for piece in blank for part in in_parts(memoryview(piece)))
        return cls(blank, place, Digest(views))

    @property
    def digest(self) -> str:
        """The SHA-256, once it is known."""
        return self._digest.hex()

    def stamp(self) -> tuple[int, bytes]:
        """Where in the file the digest belongs, and what to write there."""
        return (0, b"") if self.place is None else (self.place, self.digest.encode())

    @property
    def pieces(self) -> tuple[bytes | memoryview, ...]:
        """The content with its digest."""
        first, (place, digest) = memoryview(self.blank[0]), self.stamp()
        return (first[:place], digest, first[place + len(digest) :], *self.blank[1:])


def seal(content: bytes, *more: memoryview, start: int = 0) -> Sealed:
    """Content whose field `sha256`, blank as yet, lies in its first piece, after `start`."""
    place = SEAL.search(content, start)
    assert place is not None
    return Sealed.of(content, *more, place=place.start(1))


def verified(path: Path, content: bytes) -> str:
    """The digest of content that was read from `path`.

    Raises:
        FileError: it was altered, or carries no digest.
    """
    stored, blank = _unstamped(path, content)
    return _same(path, stored, Digest([blank]))


def seal_tensors(tensors: dict[str, Tensor], text: str) -> Sealed:
    """A file of safetensors that holds contiguous CPU tensors and a text."""
    metadata = {"format": FORMAT, "version": VERSION, "sha256": BLANK, "manifest": text}
    header, order = header_of(tensors, metadata)
    if len(header) - 8 > MOST_HEADER:
        raise FileError(
            f"the header takes {len(header) - 8:,} bytes, of at most {MOST_HEADER:,}; keep long "
            "texts and many small tensors elsewhere"
        )
    return seal(header, *(bytes_of(tensors[name]) for name in order), start=8)


def read_tensors(path: Path, most: int | None = None) -> tuple[dict[str, Tensor], str, str]:
    """The tensors, the text and the digest of a sealed file, of at most so many bytes.

    Raises:
        FileError: the file is missing, no file, too large, cut short, altered, or of another kind.
    """
    try:
        with regular(path, most) as (file, size):
            return _read(path, file, size)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error}") from error


def _read(path: Path, file: BufferedReader, size: int) -> tuple[dict[str, Tensor], str, str]:
    head = file.read(8)
    length = _header_size(head)
    # What is no such file is not read whole to find that out.
    head += file.read(min(length, MOST_HEADER))
    if len(head) < 8 + length:
        raise FileError(
            f"{path} is empty, cut short or no checkpoint: it has {size} bytes, its header asks "
            f"for {8 + length}; take an earlier copy"
        )
    stored, blank = _unstamped(path, head, 8)
    digest = Digest([blank])
    try:
        layout, tensors = _laid_out(head[8:], size - len(head))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        while piece := file.read(PIECE):
            digest.add(piece)
        _same(path, stored, digest)
        raise FileError(f"{path} is no checkpoint: {error!r}") from error
    for tensor in tensors.values():
        for part in in_parts(bytes_of(tensor)):
            # Less than was asked for leaves another digest.
            digest.add(part[: file.readinto(part)])
    _same(path, stored, digest)
    kind = layout.metadata["format"], layout.metadata["version"]
    if kind != (FORMAT, VERSION):
        raise FileError(
            f"{path} is {kind[0]} version {kind[1]}; this release reads {FORMAT} version "
            f"{VERSION}: load it with the release that wrote it"
        )
    return tensors, str(layout.metadata["manifest"]), stored


def _laid_out(header: bytes, size: int) -> tuple[Layout, dict[str, Tensor]]:
    """What the header says, with all that a checkpoint has, and memory for its tensors."""
    layout = Layout.read(header, size)
    for name in ("format", "version", "manifest"):
        layout.metadata[name]
    return layout, layout.empty()


def _unstamped(path: Path, content: bytes, start: int = 0) -> tuple[str, bytes]:
    """The digest that stands in content, and the content without it."""
    place = SEAL.search(content, start)
    if place is None:
        raise FileError(
            f"{path} carries no SHA-256: it is damaged, or was not written by ebmlab.training"
        )
    first, last = place.span(1)
    return place[1].decode(), content[:first] + BLANK.encode() + content[last:]


def _same(path: Path, stored: str, digest: Digest) -> str:
    found = digest.hex()
    if stored != found:
        raise FileError(
            f"{path} is damaged: its SHA-256 should be {stored[:12]}… and is {found[:12]}…; it "
            "was cut short or altered: take an earlier copy"
        )
    return stored


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
