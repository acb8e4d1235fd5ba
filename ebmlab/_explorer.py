"""The page of energy landscapes to play with, which the package carries."""

from importlib.resources import files
from pathlib import Path

from ebmlab._disk import write_whole

__all__ = ["write_explorer"]


def write_explorer(path: Path) -> None:
    """Write the page, which opens in any browser, also offline."""
    write_whole(path, (files("ebmlab") / "cli" / "explorer.html").read_bytes())
