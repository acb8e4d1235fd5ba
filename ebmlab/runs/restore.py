"""A run as it was left: its parts with the weights of the checkpoint."""

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ebmlab.errors import FileError
from ebmlab.runs.build import build
from ebmlab.runs.config import Config, read_config
from ebmlab.runs.follow import frames_of
from ebmlab.runs.kind import Built
from ebmlab.training import load
from ebmlab.training.checkpoints import CHECKPOINT

__all__ = ["Kept", "restore"]


class Kept(NamedTuple):
    """How far a run is, and what of its film there is: frames by step."""

    step: int
    frames: dict[int, Tensor]


def restore(run: Path, device: str | None = None) -> tuple[Config, Built, Kept]:
    """The config, the trained parts in `eval` mode on the run's device or this, what else is kept.

    Raises:
        FileError: the folder holds no run, or no checkpoint yet.
        ConfigurationError: no such device.
    """
    config = read_config(run)
    if not (run / CHECKPOINT).exists():
        raise FileError(f"{run} has no checkpoint yet; go on with `ebmlab train … --resume`")
    built = build(config, device)
    restored = load(run / CHECKPOINT, built.method)
    built.method.eval()
    return config, built, Kept(restored.step, frames_of(restored))
