"""Arguments that commands share."""

from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

__all__ = ["Other", "Run", "either"]


def either(metavar: str, default: str) -> Any:
    """What stands for a value that is chosen elsewhere where none is given."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


Run = Annotated[Path, Positional, arg(metavar="RUN")]
Other = Annotated[str | None, either("NAME", "the run's")]
