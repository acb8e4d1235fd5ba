"""What a run was started with, kept as config.json in its folder."""

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import torch

import ebmlab
from ebmlab._checks import require_counts, require_positive
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.training.folder import Folder
from ebmlab.training.strict import parsed

__all__ = ["CONFIG", "Config", "read_config", "require_same", "write_config"]

CONFIG = "config.json"
# Of counts, and of seeds of torch's generators.
MOST, SEEDS = 2**31, range(-(2**63), 2**64)
# What may change from one part of a run to the next.
FREE = {"epochs", "device"}


@dataclass(frozen=True)
class Config:
    """All arguments of a run; its batches, weights and views follow from them.

    Args:
        method, data: names of the method and of its images or points.
        epochs: visits of each training datum.
        batch_size: data in a step.
        lr: the first step size of AdamW.
        decay: whether step sizes fall to 0 along a cosine.
        encoder: a backbone's name; None where there is none.
        dim: length of the codes, clusters or atoms; None where they are the encoder's.
        limit: training data at most; None takes all.
        seed: of weights, order and views.
        device: where it was started.

    Raises:
        ConfigurationError: a number is out of range.
    """

    method: str
    data: str
    epochs: int
    batch_size: int
    lr: float
    decay: bool
    encoder: str | None
    dim: int | None
    limit: int | None
    seed: int
    device: str

    def __post_init__(self) -> None:
        require_positive("lr", self.lr)
        counts = {name: getattr(self, name) for name in ("epochs", "batch_size", "dim", "limit")}
        counts = {name: n for name, n in counts.items() if n is not None}
        require_counts(**counts)
        for name, count in counts.items():
            if count > MOST:
                raise ConfigurationError(f"{name} is {count}; it must be at most {MOST}")
        if self.seed not in SEEDS:
            raise ConfigurationError(f"seed is {self.seed}; it must lie in -2^63 … 2^64 - 1")

    @property
    def fixed(self) -> dict[str, Any]:
        """What a run keeps when it goes on: epochs and device alone may differ."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}


def write_config(out: Path, config: Config) -> None:
    """Write config.json: the arguments, and the versions that they met."""
    versions = {
        "ebmlab": ebmlab.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    text = json.dumps({**asdict(config), "versions": versions}, indent=2, allow_nan=False)
    Folder(out).write(CONFIG, f"{text}\n")


def read_config(run: Path) -> Config:
    """The arguments of a run.

    Raises:
        FileError: the folder holds no run, or its config.json is damaged or none.
    """
    path = run / CONFIG
    if not path.exists():
        raise FileError(f"{run} holds no run: there is no {path}")
    text = Folder(run).read(CONFIG)
    try:
        return Config(**_of_kinds(parsed(text)))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is not the config of a run: {error}") from error


def _of_kinds(stored: dict[str, Any]) -> dict[str, Any]:
    """The arguments in a config, each of the type that it must have."""
    given = {name: value for name, value in stored.items() if name != "versions"}
    for name, kind in get_type_hints(Config).items():
        value, kinds = given.get(name), get_args(kind) or (kind,)
        if type(value) not in kinds and not (type(value) is int and float in kinds):
            raise ValueError(f"{name} is {value!r:.60}")
    return given


def require_same(run: Path, stored: Config, asked: Config) -> None:
    """Raise unless a run may go on with what is asked: epochs and device alone may differ."""
    ours, theirs = asked.fixed, stored.fixed
    lines = [f"{k} {theirs[k]}, not {ours[k]}" for k in ours if ours[k] != theirs[k]]
    if lines:
        raise ConfigurationError(
            f"{run} was started with {'; '.join(lines)}; go on with the same arguments, or choose "
            "another --out"
        )
