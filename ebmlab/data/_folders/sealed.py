"""Small files that are known to be as they were written, and one writer at a time."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ebmlab.data._files import put_whole

__all__ = ["alone", "seal", "unsealed"]

# Raised where the same files would be read otherwise.
FORMAT = 1


def seal(path: Path, known: dict[str, Any]) -> None:
    """Write what is known, whole or not at all, with its digest.

    Raises:
        DataError: the cache cannot be written.
    """
    text = json.dumps({"known": known, "seal": _digest(known)}, sort_keys=True)
    put_whole(path, text.encode())


def unsealed(path: Path) -> dict[str, Any] | None:
    """What was written there; None if there is nothing, or it is not as it was written."""
    try:
        stored = json.loads(path.read_bytes())
        known = stored["known"]
        return known if _digest(known) == stored["seal"] else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digest(known: dict[str, Any]) -> str:
    text = json.dumps(known, sort_keys=True)
    return hashlib.sha256(f"{FORMAT} {text}".encode()).hexdigest()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is in here; a killed one is out.

    Several at once would do no harm, but all the work of one. Where nothing can be locked,
    nobody waits.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / ".lock").open("w") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
