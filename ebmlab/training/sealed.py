"""Sealed files: safetensors whose every bit is covered by one SHA-256, written all or nothing."""

import contextlib
import hashlib
import json
import os
import re
import secrets
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialize
from torch import Tensor

from ebmlab.errors import FileError

__all__ = ["read_sealed", "write_sealed"]

FORMAT = "ebmlab.checkpoint"
VERSION = "1"
BLANK = "0" * 64
# Inside a string of the header each quotation mark is escaped, so this occurs only as a key.
SEAL = re.compile(rb'"sha256":"([0-9a-f]{64})"')


def write_sealed(path: Path, tensors: dict[str, Tensor], manifest: str) -> None:
    """Write tensors and a text; on any failure the old file stays and nothing new is left.

    The header's field `sha256` holds the digest of the whole file, itself read as zeros, so that
    any safetensors reader opens the file and no bit of it can change unseen.

    Raises:
        FileError: the file could not be written.
    """
    metadata = {"format": FORMAT, "version": VERSION, "sha256": BLANK, "manifest": manifest}
    content = memoryview(serialize(tensors, metadata))
    start, stop = _seal(path, content)
    digest = _digest(content, start, stop).encode()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            for piece in (content[:start], digest, content[stop:]):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FileError(
            f"{path} was not written ({error}); what was there before is whole: make room, or "
            "save elsewhere"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def read_sealed(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors and the text of a sealed file, after its digest was checked.

    Raises:
        FileError: the file is missing, empty, cut short, altered, or of another kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    start, stop = _seal(path, memoryview(content))
    stored, found = content[start:stop].decode(), _digest(memoryview(content), start, stop)
    if stored != found:
        raise FileError(
            f"{path} is damaged: its SHA-256 should be {stored[:12]}… and is {found[:12]}…; it "
            "was cut short or altered: take an earlier copy"
        )
    try:
        metadata = json.loads(content[8 : 8 + _header_size(content)])["__metadata__"]
        if (metadata["format"], metadata["version"]) != (FORMAT, VERSION):
            raise FileError(
                f"{path} is {metadata['format']} version {metadata['version']}; this release "
                f"reads {FORMAT} version {VERSION}: load it with the release that wrote it"
            )
        return parse(content), metadata["manifest"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is no checkpoint: {error!r}") from error


def _header_size(content: bytes | memoryview) -> int:
    return int.from_bytes(content[:8], "little")


def _seal(path: Path, content: memoryview) -> tuple[int, int]:
    """Where in the header the digest stands."""
    size = _header_size(content)
    if len(content) < 8 or 8 + size > len(content):
        raise FileError(
            f"{path} is empty, cut short or no checkpoint: it has {len(content)} bytes, its "
            f"header asks for {8 + size}; take an earlier copy"
        )
    seal = SEAL.search(content[8 : 8 + size])
    if seal is None:
        raise FileError(
            f"{path} carries no SHA-256: it is damaged, or was not written by ebmlab.training.save"
        )
    return 8 + seal.start(1), 8 + seal.end(1)


def _digest(content: memoryview, start: int, stop: int) -> str:
    sha = hashlib.sha256(content[:start])
    sha.update(BLANK.encode())
    sha.update(content[stop:])
    return sha.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power failure, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
