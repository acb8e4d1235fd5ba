"""A run as it was left: its parts with the weights of the checkpoint."""

from pathlib import Path

from ebmlab.errors import FileError
from ebmlab.runs.build import Built, build
from ebmlab.runs.config import Config, read_config
from ebmlab.runs.train import CHECKPOINT
from ebmlab.training import load

__all__ = ["restore"]


def restore(run: Path, device: str | None = None) -> tuple[Config, Built, int]:
    """The config, the trained parts in `eval` mode on the run's device or this, the steps done.

    Raises:
        FileError: the folder holds no run, or no checkpoint yet.
        ConfigurationError: no such device.
    """
    config = read_config(run)
    if not (run / CHECKPOINT).exists():
        raise FileError(f"{run} has no checkpoint yet; go on with `ebmlab train … --resume`")
    built = build(config, device)
    step = load(run / CHECKPOINT, built.method).step
    built.method.eval()
    return config, built, step
