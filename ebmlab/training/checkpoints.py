"""`Checkpoints`: the last two of a run, so that one that is damaged loses little."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ebmlab._checks import require_counts
from ebmlab.errors import FileError
from ebmlab.training.checkpoint import Restored, restored
from ebmlab.training.contents import packed, unpacked
from ebmlab.training.folder import Folder

__all__ = ["BEFORE", "NEWEST", "Checkpoints"]

NEWEST, BEFORE = "checkpoint.safetensors", "checkpoint.before.safetensors"


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a run is saved, and whether it goes on from there.

    checkpoint.safetensors is the newest; the one before it stays beside it.

    Args:
        folder: theirs, and of the run's other files.
        every: steps from one to the next.
        resume: go on from the newest that is whole, or begin where there is none.
        run: what the run was started with, such as its seed; checkpoints of another are refused.

    Raises:
        ConfigurationError: every is no count.
    """

    folder: str | Path
    every: int = 1000
    resume: bool = False
    run: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        require_counts(every=self.every)

    def save(
        self,
        method: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        rngs: dict[str, torch.Generator] | None = None,
        step: int = 0,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the newest checkpoint; arguments and errors are those of `save`."""
        content = packed(method, optimizer, rngs, step, extra, self.run)
        Folder(self.folder).put(NEWEST, content, before=BEFORE)

    def latest(
        self,
        method: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        rngs: dict[str, torch.Generator] | None = None,
    ) -> Restored | None:
        """Restore the newest checkpoint that is whole; None where there is none at all.

        Warns of one that is damaged, and takes the one before.

        Raises:
            FileError: no checkpoint is whole, or it is of another run or configuration.
        """
        folder, wrong = Folder(self.folder), []
        names = [name for name in (NEWEST, BEFORE) if (folder.path / name).exists()]
        if names == [BEFORE]:
            wrong.append(f"{folder.path / NEWEST} is missing")
        for name in names:
            path = folder.path / name
            with folder.reading(name):
                try:
                    contents = unpacked(path, method)
                except FileError as error:
                    wrong.append(str(error))
                    continue
                folder.require(name, contents.digest)
            found = restored(path, contents, method, optimizer, rngs=rngs, run=self.run)
            self._tell(wrong, found.step)
            return found
        if wrong:
            raise FileError("; ".join(wrong))
        return None

    def _tell(self, wrong: list[str], step: int) -> None:
        if wrong:
            warnings.warn(f"{wrong[0]}; step {step} is taken instead", stacklevel=4)
        if wrong and self.resume:
            # Else the next one would take the place of the last that is whole.
            Folder(self.folder).back(NEWEST, BEFORE)
