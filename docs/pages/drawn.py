"""The pictures of methods and parts, drawn by processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import ebmlab

__all__ = ["draw"]

# What draws, and the folder of its pictures below `_static`.
DRAWERS = {"pictures": "methods", "exhibits": "parts"}


def draw(docs: Path) -> None:
    """Draw what is not there yet, both at a time."""
    root = str(Path(ebmlab.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    running = []
    for package, folder in DRAWERS.items():
        target = docs / "_static" / folder
        target.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(docs / package), str(target)]
        done = newest(target) > newest(docs / package)
        if not done:
            running.append(subprocess.Popen(command, env=environment))
    for process in running:
        if process.wait() != 0:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")


def newest(folder: Path) -> float:
    """When the last file of a folder changed."""
    return max((path.stat().st_mtime for path in folder.glob("*.p*")), default=0.0)
