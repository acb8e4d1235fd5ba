"""Lines of JSON that are chained: the digest in each covers it and all before it."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ebmlab._disk import lines_of, read_regular
from ebmlab.errors import FileError
from ebmlab.training.sealed import BLANK
from ebmlab.training.strict import parsed

__all__ = ["Line", "chained", "last_digest", "unchained"]

_END = re.compile(rb', "sha256": "([0-9a-f]{64})"}')
# Bytes of a line.
_MOST = 2**24
_TAIL = len(', "sha256": "') + 64 + len('"}\n')


class Line(NamedTuple):
    """A line as it was read.

    Attributes:
        values: by name, without the digest.
        digest: of this line and those before it.
        end: where the line ends in the file.
    """

    values: dict[str, Any]
    digest: str
    end: int


def chained(values: Mapping[str, Any], before: str) -> bytes:
    """One line: the values, and the SHA-256 of the digest before it and its own text."""
    body = json.dumps(values, allow_nan=False).encode()
    return body[:-1] + f', "sha256": "{_digest(before, body)}"}}\n'.encode()


def last_digest(path: Path) -> str:
    """The digest in the last line; blank where there is none, or no file.

    Raises:
        FileError: the last line is unfinished, or has no digest.
        OSError: the file cannot be read.
    """
    try:
        tail = read_regular(path, last=_TAIL)
    except FileNotFoundError:
        return BLANK
    if not tail:
        return BLANK
    found = _END.fullmatch(tail[:-1])
    if found is None or not tail.endswith(b"\n"):
        raise FileError(f"{path} is damaged: its last line is unfinished or carries no digest")
    return found[1].decode()


def unchained(path: Path) -> list[Line]:
    """The lines of a file; one that a killed process left unfinished at its end is left out.

    Raises:
        FileError: a line is altered, missing among the others, or no object of JSON.
        OSError: the file cannot be read.
    """
    lines: list[Line] = []
    digest, end = BLANK, 0
    for number, raw in enumerate(lines_of(path, _MOST), 1):
        text = raw.removesuffix(b"\n")
        tail = _END.search(text, max(0, len(text) - _TAIL))
        if len(text) == len(raw) and (tail is None or tail.end() == len(text)):
            # What a killed process wrote of a line has nothing behind its digest.
            break
        body = b"" if tail is None or tail.end() < len(text) else text[: tail.start()] + b"}"
        digest, end = _digest(digest, body), end + len(raw)
        if not body or digest != text[-66:-2].decode():
            raise FileError(
                f"{path} is damaged: the digest in line {number} is not that of it and the lines "
                "before it; take an earlier copy"
            )
        lines.append(Line(_object(path, number, body), digest, end))
    return lines


def _object(path: Path, number: int, body: bytes) -> dict[str, Any]:
    try:
        values = parsed(body.decode())
    except ValueError as error:
        raise FileError(f"{path} holds no JSON in line {number}: {error}") from error
    assert isinstance(values, dict)
    return values


def _digest(before: str, body: bytes) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()
