"""manifest.json: which SHA-256 each file of a folder may have; sealed itself."""

import json
import re
from pathlib import Path
from typing import Any

from ebmlab._disk import read_regular
from ebmlab.errors import FileError
from ebmlab.training.sealed import BLANK, Sealed, seal, verified
from ebmlab.training.strict import parsed

__all__ = ["MANIFEST", "Digests", "manifest_of", "read_manifest"]

MANIFEST = "manifest.json"
FORMAT, VERSION = "ebmlab.run", "1"
MOST = 2**20

Digests = dict[str, list[str]]
_DIGEST = re.compile(r"[0-9a-f]{64}")


def manifest_of(files: Digests) -> Sealed:
    """The content of a manifest."""
    whole = {"format": FORMAT, "version": VERSION, "sha256": BLANK, "files": files}
    return seal(f"{json.dumps(whole, indent=1)}\n".encode())


def read_manifest(folder: Path) -> Digests:
    """The digests by name; none where there is no manifest yet.

    Raises:
        FileError: the manifest is damaged, or is none.
    """
    path = folder / MANIFEST
    try:
        content = read_regular(path, MOST)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    verified(path, content)
    try:
        whole = parsed(content.decode())
        kind, files = (whole["format"], whole["version"]), whole["files"]
        if kind != (FORMAT, VERSION) or not isinstance(files, dict):
            raise ValueError(f"it is {kind[0]} version {kind[1]}")
        return {name: _digests(name, digests) for name, digests in files.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is no manifest of {FORMAT} version {VERSION}: {error}") from error


def _digests(name: str, digests: Any) -> list[str]:
    if name != Path(name).name or not isinstance(digests, list) or not digests:
        raise ValueError(f"{name!r} names no file, or has no digest")
    for digest in digests:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ValueError(f"{name!r} has a digest that is none")
    return digests
