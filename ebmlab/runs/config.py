"""What a run was started with, kept as config.json in its folder."""

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import torch

import ebmlab
from ebmlab._checks import require_counts, require_non_negative, require_positive
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.training.folder import Folder
from ebmlab.training.strict import parsed

__all__ = ["CONFIG", "Config", "read_config", "require_same", "write_config"]

CONFIG = "config.json"
# Of counts, and of seeds of torch's generators.
MOST, SEEDS = 2**31, range(-(2**63), 2**64)
# What a run may go on with otherwise: how long, where, and how it fits there.
FREE = {"epochs", "device", "shard", "recompute", "compile"}
PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Config:
    """All arguments of a run; its batches, weights and views follow from them.

    Args:
        method, data: names of the method and of its images or points.
        epochs: visits of each training datum.
        batch_size: data in a step.
        lr: the first step size of the optimizer.
        decay: whether step sizes fall to 0 along a cosine.
        encoder: a backbone's name; None where there is none.
        dim: length of the codes, clusters or atoms; None where they are the encoder's.
        limit: training data at most; None takes all.
        seed: of weights, order and views.
        device: where it was started.
        optimizer: its name.
        weight_decay: of weights; biases and normalizations do not decay.
        warmup: steps in which step sizes rise.
        clip: the largest norm of the gradient; None: any.
        accumulate: batches in a step.
        precision: fp32 or bf16.
        shard, recompute, compile: as in `training.Scale`.
        size: height and width of images from a folder; None where images have their own.
        images: what the images in a folder are known by; None where data are no folder.

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
    optimizer: str = "adamw"
    weight_decay: float = 0.0
    warmup: int = 0
    clip: float | None = None
    accumulate: int = 1
    precision: str = "fp32"
    shard: bool = False
    recompute: bool = False
    compile: bool = False
    size: int | None = None
    images: str | None = None

    def __post_init__(self) -> None:
        require_positive("lr", self.lr)
        require_non_negative("weight_decay", self.weight_decay)
        names = ("epochs", "batch_size", "dim", "limit", "accumulate", "size")
        counts = {name: getattr(self, name) for name in names}
        counts = {name: n for name, n in counts.items() if n is not None}
        require_counts(**counts)
        require_counts(0, warmup=self.warmup)
        for name, count in {**counts, "warmup": self.warmup}.items():
            if count > MOST:
                raise ConfigurationError(f"{name} is {count}; it must be at most {MOST}")
        if self.seed not in SEEDS:
            raise ConfigurationError(f"seed is {self.seed}; it must lie in -2^63 … 2^64 - 1")
        if self.clip is not None:
            require_positive("clip", self.clip)
        if self.precision not in PRECISIONS:
            raise ConfigurationError(
                f"precision is {self.precision!r}; there are {', '.join(PRECISIONS)}"
            )

    @property
    def fixed(self) -> dict[str, Any]:
        """What a run keeps when it goes on."""
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
    """Raise unless a run may go on with what is asked: what is free may differ."""
    ours, theirs = asked.fixed, stored.fixed
    lines = [f"{k} {theirs[k]}, not {ours[k]}" for k in ours if ours[k] != theirs[k]]
    if lines:
        raise ConfigurationError(
            f"{run} was started with {'; '.join(lines)}; go on with the same arguments, or choose "
            "another --out"
        )
