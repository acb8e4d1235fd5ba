"""`Checkpoints`: the last two of a run, so that one that is damaged loses little."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ebmlab._checks import require_counts
from ebmlab._ranks import rank_number
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.training.checkpoint import Restored, restored
from ebmlab.training.contents import packed, unpacked
from ebmlab.training.folder import Folder
from ebmlab.training.shards import drop_shards, shards_at

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

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint."""
        return any((Path(self.folder) / name).exists() for name in (NEWEST, BEFORE))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder.

        Raises:
            ConfigurationError: there is a checkpoint, from which this run does not go on.
            FileError: another run goes on there, or the folder cannot be written.
        """
        with Folder(self.folder).locked():
            if self.begun and not self.resume:
                raise ConfigurationError(
                    f"{self.folder} holds checkpoints already; go on from them by resume=True, or "
                    "choose another folder"
                )
            yield

    def save(
        self,
        method: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        rngs: dict[str, torch.Generator] | None = None,
        step: int = 0,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep a run as it is after a step; arguments and errors are those of `training.save`.

        Of several ranks, which hold the same, the first one writes; what they share out they
        write together, into a folder of safetensors beside the checkpoint.
        """
        folder = Folder(self.folder)
        at = shards_at(folder.path, step)
        content = packed(method, optimizer, rngs, step, extra, self.run, at)
        if rank_number() == 0:
            folder.put(NEWEST, content, before=BEFORE)
            drop_shards(folder.path, keep=2)

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
            if self.resume:
                drop_shards(folder.path, after=found.step)
            return found
        if wrong:
            raise FileError("; ".join(wrong))
        return None

    def _tell(self, wrong: list[str], step: int) -> None:
        if wrong:
            warnings.warn(f"{wrong[0]}; step {step} is taken instead", stacklevel=4)
        if wrong and self.resume and rank_number() == 0:
            # Else the next one would take the place of the last that is whole.
            Folder(self.folder).back(NEWEST, BEFORE)
