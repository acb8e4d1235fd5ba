"""Where data files come from: a given folder, `EBMLAB_DATA`, or a cache filled by download."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ebmlab.data.idx import gunzip
from ebmlab.errors import DataError

__all__ = ["DataFile", "cache_folder", "require_writable", "unwritable", "write_whole"]

_TIMEOUT = 60.0


@dataclass(frozen=True)
class DataFile:
    """A file of a public data set that is known by the SHA-256 of its decompressed content.

    Args:
        folder: the data set's folder within a data folder.
        name: the file's name, compressed.
        url: the folder that it is downloaded from; None where no one offers the file by itself.
        sha256: of the content, so that any gzip of the same data is as good.
    """

    folder: str
    name: str
    url: str | None
    sha256: str

    def content(self, root: str | Path | None) -> bytes:
        """The decompressed content from root, else `EBMLAB_DATA`, else the cache or its source.

        Raises:
            DataError: the file is missing, damaged, or cannot be downloaded or stored.
        """
        if (place := self._given(root)) is not None:
            path = place / self.folder / self.name
            found = next((p for p in (path, path.with_suffix("")) if p.is_file()), None)
            if found is not None:
                return self._checked(_read(found), str(found))
            if root is not None:
                raise DataError(f"root holds no {path}; {self._help}")
        return self._cached()

    def _given(self, root: str | Path | None) -> Path | None:
        """The data folder to look into first."""
        if root is not None:
            return Path(root)
        if not (variable := os.environ.get("EBMLAB_DATA")):
            return None
        folder = Path(variable).expanduser()
        if not folder.is_dir():
            raise DataError(f"EBMLAB_DATA is {variable}, which is no folder; {self._help}")
        return folder

    @property
    def _help(self) -> str:
        return (
            f"put the published files into FOLDER/{self.folder}/, and set EBMLAB_DATA=FOLDER or "
            "pass root=FOLDER"
        )

    def _checked(self, raw: bytes, name: str) -> bytes:
        content = gunzip(raw, name)
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise DataError(
                f"{name} is not the {self.folder} file {self.name}: the SHA-256 of its content is "
                f"{digest}, not {self.sha256}; get the file anew"
            )
        return content

    def _cached(self) -> bytes:
        path = cache_folder() / self.folder / self.name
        try:
            return self._checked(_read(path), str(path))
        except DataError:
            return self._downloaded(path)

    def _downloaded(self, path: Path) -> bytes:
        """Fetch, check and keep the file; what arrives damaged is fetched again once."""
        if self.url is None:
            raise DataError(f"{self.name} is nowhere to be found; {self._help}")
        require_writable(path.parent)
        source = self.url + self.name
        raw = self._fetched(source)
        try:
            content = self._checked(raw, source)
        except DataError:
            raw = self._fetched(source)
            content = self._checked(raw, source)
        write_whole(path, raw)
        return content

    def _fetched(self, url: str) -> bytes:
        from http.client import HTTPException
        from urllib.request import urlopen

        try:
            with urlopen(url, timeout=_TIMEOUT) as response:
                return response.read()
        except (OSError, HTTPException) as error:
            raise DataError(f"{url} cannot be downloaded ({error}); {self._help}") from error


def cache_folder() -> Path:
    """Where what can be made again is kept: `EBMLAB_CACHE`, by default ~/.cache/ebmlab."""
    try:
        return Path(os.environ.get("EBMLAB_CACHE") or "~/.cache/ebmlab").expanduser()
    except RuntimeError as error:
        raise DataError(
            "no home folder is known to hold a cache; set EBMLAB_CACHE to a writable folder"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def require_writable(folder: Path) -> None:
    """Find out before a download whether its result can be kept."""
    probe = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(folder, error) from error


def write_whole(path: Path, raw: bytes) -> None:
    """Write so that the file is whole or not there at all."""
    partial = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    try:
        with partial.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise unwritable(path.parent, error) from error


def unwritable(folder: Path, error: OSError) -> DataError:
    """What to raise where the cache takes nothing."""
    return DataError(
        f"the cache {folder} cannot be written ({error}); set EBMLAB_CACHE to a writable folder, "
        "or EBMLAB_DATA to one that holds the data"
    )
