"""Arguments that commands share."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

__all__ = ["Other", "Run"]

Run = Annotated[Path, Positional, arg(metavar="RUN")]
Other = Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the run's)")]
