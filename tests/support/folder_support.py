"""Folders that hold something of each kind, and what is in them."""

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from ebmlab.training.checkpoints import Checkpoints
from ebmlab.training.folder import Folder


def filled(path: Path) -> Folder:
    """A folder with texts, lines and two checkpoints."""
    path.mkdir(exist_ok=True)
    for name, content in _made().items():
        (path / name).write_bytes(content)
    return Folder(path)


@cache
def _made() -> dict[str, bytes]:
    with TemporaryDirectory() as path:
        return state(make(Path(path)).path)


def make(path: Path) -> Folder:
    folder = Folder(path)
    folder.write("config.json", '{"seed": 0}\n')
    folder.cut("metrics.jsonl", [])
    for step in (1, 2):
        folder.append("metrics.jsonl", {"step": step, "name": 'J*"\u00b2'})
        Checkpoints(path).save(nn.Linear(2, 1), step=step)
    folder.append("metrics.jsonl", {"step": 3})
    folder.write("evaluation.json", '{"numbers": {"accuracy": 0.5}}\n')
    folder.seal()
    return folder


def state(path: Path) -> dict[str, bytes]:
    """The content of each file that is seen."""
    return {p.name: p.read_bytes() for p in sorted(path.iterdir()) if not p.name.startswith(".")}


def resealed(path: Path, name: str, content: bytes) -> None:
    """Put other content into a folder's file, and have the manifest list it, as intent can."""
    (path / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name] = [digest]
    remade(path, manifest)


def remade(path: Path, manifest: dict) -> None:
    """Write a manifest with a right digest of its own."""
    blank = json.dumps({**manifest, "sha256": "0" * 64}, indent=1)
    digest = hashlib.sha256(blank.encode()).hexdigest()
    (path / "manifest.json").write_text(blank.replace("0" * 64, digest, 1))
