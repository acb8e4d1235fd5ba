"""What a run was started with, kept as config.json in its folder."""

import json
import platform
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

import ebmlab
from ebmlab._checks import require_counts, require_non_negative, require_positive
from ebmlab.errors import ConfigurationError, FileError

__all__ = ["CONFIG", "Config", "read_config", "require_same", "write_config"]

CONFIG = "config.json"
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

    def __post_init__(self) -> None:
        require_positive("lr", self.lr)
        require_non_negative("weight_decay", self.weight_decay)
        names = ("epochs", "batch_size", "dim", "limit", "accumulate")
        counts = {name: getattr(self, name) for name in names}
        require_counts(**{name: n for name, n in counts.items() if n is not None})
        require_counts(0, warmup=self.warmup)
        if self.clip is not None:
            require_positive("clip", self.clip)
        if self.precision not in PRECISIONS:
            raise ConfigurationError(
                f"precision is {self.precision!r}; there are {', '.join(PRECISIONS)}"
            )


def write_config(out: Path, config: Config) -> None:
    """Write config.json: the arguments, and the versions that they met."""
    versions = {
        "ebmlab": ebmlab.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    text = json.dumps({**asdict(config), "versions": versions}, indent=2)
    (out / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_config(run: Path) -> Config:
    """The arguments of a run.

    Raises:
        FileError: the folder holds no run, or its config.json is not one.
    """
    path = run / CONFIG
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Config(**{field.name: stored[field.name] for field in fields(Config)})
    except OSError as error:
        raise FileError(f"{run} holds no run: {path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is not the config of a run: {error!r}") from error


def require_same(run: Path, stored: Config, asked: Config) -> None:
    """Raise unless a run may go on with what is asked: what is free may differ."""
    ours, theirs = asdict(asked), asdict(stored)
    fixed = [k for k in ours if ours[k] != theirs[k] and k not in FREE]
    lines = [f"{k} {theirs[k]}, not {ours[k]}" for k in fixed]
    if lines:
        raise ConfigurationError(
            f"{run} was started with {'; '.join(lines)}; go on with the same arguments, or choose "
            "another --out"
        )
