"""What a run makes: samples with their film, and answers to what is hidden of held-out data."""

from pathlib import Path
from typing import Any

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError
from ebmlab.runs.kind import Built, Generates
from ebmlab.runs.kinds import OFFERED, kind_of
from ebmlab.runs.restore import restore

__all__ = ["inpaint", "sample"]


def sample(
    run: Path, *, n: int = 64, out: Path | None = None, seed: int = 0, device: str | None = None
) -> list[Path]:
    """Draw n samples of a run: a picture, and a film of the chains from noise.

    Args:
        run: the folder of `train`.
        n: how many.
        out: the picture, which ends in .png; None is samples-N.png in the run's folder.
        seed: of the chains.
        device: None takes the run's.

    Raises:
        FileError: the folder holds no run, or no checkpoint.
        ConfigurationError: runs of this method make no data; n < 1; out ends otherwise.
    """
    require_counts(n=n)
    built, kind = _generating(run, device)
    return kind.sample(built, _picture(out or run / f"samples-{n}.png"), n, seed)


def inpaint(
    run: Path,
    *,
    mask: str = "lower",
    out: Path | None = None,
    data: str | None = None,
    seed: int = 0,
    device: str | None = None,
) -> list[Path]:
    """Hide a part of held-out data and draw several answers beside each other.

    Args:
        run: as in `sample`.
        mask: what is hidden: lower, upper, left, right or center.
        out: the picture; None is inpaint-MASK.png in the run's folder.
        data: others of the same shape; None takes the run's.
        seed: of the chains.
        device: as in `sample`.

    Raises:
        ConfigurationError: as in `sample`; there is no such mask.
    """
    built, kind = _generating(run, device)
    return kind.inpaint(built, _picture(out or run / f"inpaint-{mask}.png"), mask, data, seed)


def _generating(run: Path, device: str | None) -> tuple[Built, Generates[Any]]:
    config, built, _ = restore(run, device)
    kind = kind_of(config.method)
    if not isinstance(kind, Generates):
        able = [name for name, other in OFFERED.items() if isinstance(other, Generates)]
        raise ConfigurationError(
            f"{config.method} makes no pictures; methods that do: {', '.join(able)}"
        )
    return built, kind


def _picture(path: Path) -> Path:
    if path.suffix != ".png":
        raise ConfigurationError(f"out is {path.name}; a picture ends in .png")
    return path
