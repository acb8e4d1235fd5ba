"""`Folder`: all that a run leaves, each file whole at every moment and none changed unseen."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ebmlab._disk import TEMPORARY, append_line, cut_at, placing, read_regular, sync, write_whole
from ebmlab.errors import FileError
from ebmlab.training.lines import Line, chained, last_digest, unchained
from ebmlab.training.lock import alone, held
from ebmlab.training.manifest import MANIFEST, Digests, manifest_of, read_manifest
from ebmlab.training.sealed import BLANK, Sealed, named

__all__ = ["Folder"]


class Folder:
    """The one thing that writes into the folder of a run.

    manifest.json lists the SHA-256 that each file may have. A file is written beside its place,
    then the manifest lists what it was and what it will be, and only then it is put in its place:
    killed between any two of these, all files are whole and known. Lines of a file *.jsonl are
    chained: each carries the digest of itself and all before it, and the manifest lists how far it
    went. Files of tensors carry their own digest, which the manifest repeats.

    Args:
        path: the folder, made with its first file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as path:
        ...     folder = Folder(path)
        ...     folder.write("config.json", "{}")
        ...     folder.cut("metrics.jsonl", [])
        ...     folder.append("metrics.jsonl", {"step": 1})
        ...     folder.read("config.json"), folder.lines("metrics.jsonl")[0].values
        ('{}', {'step': 1})
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write(self, name: str, text: str) -> None:
        """Write a file anew. Raises FileError where it cannot be; the old one stays then."""
        self.put(name, Sealed.of(text.encode()))

    def put(self, name: str, content: Sealed, *, before: str | None = None) -> None:
        """Write a file anew, and keep the one that was there as `before`; raises as `write`."""
        path = self.path / name
        with self._writing(path), placing(path, *content.blank, stamp=content.stamp):
            files = self._seen()
            old = files.get(name, [])
            files[name] = [*old, content.digest]
            if before is None or not old or not path.exists():
                self._promise(files)
                return
            self._promise({**files, before: [*files.get(before, []), *old]})
            self._link(path, self.path / before)

    def back(self, name: str, before: str) -> None:
        """Put the file `before` in the place of one that is damaged; raises as `write`."""
        with self._writing(self.path / name):
            files = read_manifest(self.path)
            self._promise({**files, name: [*files.get(name, []), *files.get(before, [])]})
            self._link(self.path / before, self.path / name)

    def append(self, name: str, values: Mapping[str, Any]) -> None:
        """Add a line of JSON; raises as `write`, and nothing of the line is left then."""
        path = self.path / name
        with self._told(path):
            append_line(path, chained(values, last_digest(path)))

    def cut(self, name: str, kept: list[Line]) -> None:
        """Keep these first lines of a file, to which more are added; raises as `write`."""
        path = self.path / name
        with self._writing(path):
            digest, end = (kept[-1].digest, kept[-1].end) if kept else (BLANK, 0)
            # Whether it is cut or not, the file has a line of this digest.
            self._promise({**self._seen(), name: [digest]})
            cut_at(path, end)

    def seal(self) -> None:
        """Have the manifest list all lines that there are; raises as `write`."""
        with self._writing(self.path / MANIFEST):
            self._promise(self._seen())

    def read(self, name: str) -> str:
        """The text of a file.

        Raises:
            FileError: it is missing, damaged, or unknown to the manifest.
        """
        with self.reading(name):
            content = read_regular(self.path / name, MOST)
            self._require(name, _sha256(content))
            return content.decode()

    def lines(self, name: str) -> list[Line]:
        """The lines of a file; raises as `read`."""
        with self.reading(name):
            lines = unchained(self.path / name)
            self._require(name, BLANK, *(line.digest for line in lines))
            return lines

    def require(self, name: str, digest: str) -> None:
        """Raise FileError unless the manifest lists a file with this digest."""
        with self.reading(name):
            self._require(name, digest)

    def check(self) -> None:
        """Look at every file but those of tensors; FileError names all that are damaged."""
        with self.reading(MANIFEST):
            names = [name for name in read_manifest(self.path) if (self.path / name).exists()]
        wrong: list[str] = []
        for name in [name for name in names if not name.endswith(_TENSORS)]:
            try:
                self.lines(name) if name.endswith(_LINES) else self.read(name)
            except FileError as error:
                wrong.append(str(error))
        if wrong:
            raise FileError("; ".join(wrong))

    @contextmanager
    def locked(self) -> Iterator["Folder"]:
        """Keep other runs out; what killed ones left unfinished is removed.

        Raises:
            FileError: another run goes on here, or the folder cannot be written.
        """
        with ExitStack() as stack:
            with self._told(self.path):
                free = stack.enter_context(held(self.path))
            if free:
                with self._writing(self.path):
                    for path in self.path.glob(TEMPORARY):
                        path.unlink()
            yield self

    def holds(self, name: str) -> bool:
        """Whether there is a file of this name, or should be."""
        return (self.path / name).exists() or name in read_manifest(self.path)

    def _require(self, name: str, *digests: str) -> None:
        known = read_manifest(self.path).get(name)
        if known is None:
            raise FileError(
                f"{self.path / name} is not listed in {self.path / MANIFEST}; take the whole "
                "folder from an earlier copy"
            )
        if not any(digest in known for digest in digests):
            raise FileError(
                f"{self.path / name} is damaged, or of another run: {self.path / MANIFEST} lists "
                f"the SHA-256 {known[-1][:12]}…, which it has not; take an earlier copy of both, "
                "or remove it where it can be made anew"
            )

    def _seen(self) -> Digests:
        """What the manifest lists, less what files had before the last time."""
        files = read_manifest(self.path)
        for name in files:
            now = self._now(name)
            if now is not None and (now in files[name] or name.endswith(_LINES)):
                files[name] = [now]
        return files

    def _now(self, name: str) -> str | None:
        """The digest that a file has, or claims; None where none can be told."""
        path = self.path / name
        with suppress(OSError, FileError):
            if name.endswith(_TENSORS):
                return named(path)
            if not name.endswith(_LINES):
                return _sha256(read_regular(path, MOST))
            sync(path)
            return last_digest(path)
        return None

    def _promise(self, files: Digests) -> None:
        write_whole(self.path / MANIFEST, *manifest_of(files).pieces)

    def _link(self, path: Path, other: Path) -> None:
        """Have the file stand at both places."""
        between = other.with_name(f".{other.name}.{_sha256(os.urandom(8))[:8]}.tmp")
        try:
            between.hardlink_to(path)
        except OSError:
            # Some file systems have one name for each file.
            write_whole(other, read_regular(path))
            return
        between.replace(other)
        # Nothing was replaced where both were one file already.
        between.unlink(missing_ok=True)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        with self._told(path), alone(self.path):
            yield

    @contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"{self.path} cannot hold a run ({error.strerror}); choose another folder"
            ) from error
        try:
            yield
        except OSError as error:
            raise FileError(
                f"{path} was not written ({error}); what was there before is whole: make room, or "
                "choose another place"
            ) from error

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """While what is read must fit the manifest: nobody writes; OSErrors become FileErrors."""
        try:
            with alone(self.path, shared=True):
                yield
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(f"{self.path / name} cannot be read: {error}") from error


# Bytes of a text, which is read whole.
MOST = 2**26
_TENSORS, _LINES = ".safetensors", ".jsonl"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
