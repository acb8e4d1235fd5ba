"""What only some kinds of runs can do."""

from pathlib import Path
from typing import TypeVar

from ebmlab.errors import ConfigurationError
from ebmlab.runs.kind import Built
from ebmlab.runs.kinds import OFFERED, kind_of
from ebmlab.runs.restore import Kept, restore

__all__ = ["able"]

A = TypeVar("A")


def able(run: Path, device: str | None, ability: type[A], lacks: str) -> tuple[Built, A, Kept]:
    """A run as it was left, with its kind.

    Raises:
        FileError: the folder holds no run, or no checkpoint.
        ConfigurationError: its kind lacks this ability; `lacks` says so of its method.
    """
    config, built, kept = restore(run, device)
    kind = kind_of(config.method)
    if not isinstance(kind, ability):
        others = [name for name, other in OFFERED.items() if isinstance(other, ability)]
        raise ConfigurationError(f"{config.method} {lacks}; methods that do: {', '.join(others)}")
    return built, kind, kept
