"""What a run makes: samples, and answers to what is hidden of held-out data."""

from pathlib import Path

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError
from ebmlab.runs.abilities import able
from ebmlab.runs.kind import Inpaints, Samples

__all__ = ["inpaint", "sample"]


def sample(
    run: Path, *, n: int = 64, out: Path | None = None, seed: int = 0, device: str | None = None
) -> list[Path]:
    """Draw n samples of a run: a picture and a film of the chains from noise, or a file of texts.

    Args:
        run: the folder of `train`.
        n: how many.
        out: the picture, which ends in .png, or the file of texts, in .txt; None is samples-N in
            the run's folder.
        seed: of the chains.
        device: None takes the run's.

    Raises:
        FileError: the folder holds no run, or no checkpoint.
        ConfigurationError: runs of this method make none; n < 1; out ends otherwise.
    """
    require_counts(n=n)
    built, kind, _ = able(run, device, Samples, "draws no samples")
    out = _ending(out or run / f"samples-{n}{kind.suffix}", kind.suffix)
    return kind.sample(built, out, n, seed)


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
    built, kind, _ = able(run, device, Inpaints, "completes no pictures")
    out = _ending(out or run / f"inpaint-{mask}.png", ".png")
    return kind.inpaint(built, out, mask, data, seed)


def _ending(path: Path, suffix: str) -> Path:
    if path.suffix != suffix:
        raise ConfigurationError(f"out is {path.name}; what is written here ends in {suffix}")
    return path
