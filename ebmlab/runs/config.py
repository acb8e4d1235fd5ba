"""What a run was started with, kept as config.json in its folder."""

import json
import platform
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

import ebmlab
from ebmlab._checks import require_counts, require_positive
from ebmlab.errors import ConfigurationError, FileError

__all__ = ["CONFIG", "Config", "read_config", "require_same", "write_config"]

CONFIG = "config.json"


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
        size: height and width of images from a folder; None where images have their own.

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
    size: int | None = None

    def __post_init__(self) -> None:
        require_positive("lr", self.lr)
        counts = {
            name: getattr(self, name) for name in ("epochs", "batch_size", "dim", "limit", "size")
        }
        require_counts(**{name: n for name, n in counts.items() if n is not None})


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
    """Raise unless a run may go on with what is asked: epochs and device alone may differ."""
    ours, theirs = asdict(asked), asdict(stored)
    fixed = [k for k in ours if ours[k] != theirs[k] and k not in {"epochs", "device"}]
    lines = [f"{k} {theirs[k]}, not {ours[k]}" for k in fixed]
    if lines:
        raise ConfigurationError(
            f"{run} was started with {'; '.join(lines)}; go on with the same arguments, or choose "
            "another --out"
        )
