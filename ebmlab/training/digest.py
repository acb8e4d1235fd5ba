"""SHA-256 of content in pieces, found in a thread of its own while they are read or written."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["PIECE", "Digest", "in_parts"]

# Bytes: handing less to another thread takes longer than it saves.
PIECE = 2**22


class Digest:
    """The digest of all pieces in their order, which must not change until it is known.

    hashlib lets other threads run meanwhile. What goes wrong there is raised by `hex`. Little
    content starts no thread.

    Example:
        >>> digest = Digest([b"ab"])
        >>> digest.add(b"c")
        >>> digest.hex() == hashlib.sha256(b"abc").hexdigest()
        True
    """

    def __init__(self, pieces: Iterable[bytes | memoryview] = ()) -> None:
        self._sha = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._begun: list[Future[None]] = []
        self._waiting: list[bytes | memoryview] = []
        self._size = 0
        for piece in pieces:
            self.add(piece)

    def add(self, piece: bytes | memoryview) -> None:
        """One piece more; it is hashed while the caller goes on."""
        self._waiting.append(piece)
        self._size += len(piece)
        if self._size >= PIECE:
            self._thread = self._thread or ThreadPoolExecutor(1, "sha256")
            self._begun.append(self._thread.submit(self._update, self._waiting))
            self._waiting, self._size = [], 0

    def hex(self) -> str:
        """The digest of all pieces so far, once they are hashed."""
        begun, self._begun = self._begun, []
        for each in begun:
            each.result()
        self._update(self._waiting)
        self._waiting, self._size = [], 0
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        return self._sha.hexdigest()

    def _update(self, pieces: list[bytes | memoryview]) -> None:
        for piece in pieces:
            self._sha.update(piece)


def in_parts(content: memoryview) -> Iterable[memoryview]:
    """Content in parts of at most PIECE bytes."""
    return (content[start : start + PIECE] for start in range(0, len(content), PIECE))
