"""Several encoders' codes before one probe: the same rows, folds, and penalties."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_positive
from ebmlab._kinds import require_real, require_tensors
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics.probe import linear_probe

__all__ = ["Probe", "probes", "rest", "split"]


class Probe(NamedTuple):
    """The cross-validated accuracy of a probe.

    Attributes:
        accuracy: mean over folds.
        error: standard error of the mean over folds.
        each: (folds,), in the order of all encoders: differences of two are paired.
        penalty: that which was chosen, (folds,).
    """

    accuracy: float
    error: float
    each: Tensor
    penalty: Tensor


def probes(
    codes: Mapping[str, Tensor],
    labels: Tensor,
    *,
    rng: torch.Generator,
    folds: int = 5,
    penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0),
) -> dict[str, Probe]:
    """`linear_probe` of each encoder's codes, like for like.

    All see the same rows in the same folds. A fold is tested once: the next one chooses the
    penalty, of the same path for all, among probes trained on the rest; that probe is then
    trained on all but the tested fold. Folds share training data, so that `error` is somewhat
    too small.

    Args:
        codes: name -> (n, d), rows of the same data; widths may differ.
        labels: (n,), whole numbers.
        rng: of the folds.
        folds: at least 3.
        penalties: of ½ penalty ‖W‖², all > 0.

    Raises:
        ConfigurationError: there are no codes, or fewer than 3 folds or more than rows.
        ShapeError, DtypeError, NonFiniteError: codes and labels do not fit.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> labels = torch.arange(60) % 2
        >>> good = labels[:, None] + 0.1 * torch.randn(60, 2, generator=rng)
        >>> bad = torch.randn(60, 2, generator=rng)
        >>> found = probes({"good": good, "bad": bad}, labels, rng=rng, penalties=[1.0])
        >>> found["good"].accuracy, found["bad"].accuracy < 0.8
        (1.0, True)
    """
    if not codes or not len(penalties):
        raise ConfigurationError("codes or penalties are empty; expected at least one of each")
    for penalty in penalties:
        require_positive("a penalty", penalty)
    require_tensors(labels=labels)
    for name, h in codes.items():
        require_real(**{f"codes[{name!r}]": h})
        if h.shape[:1] != labels.shape:
            raise ShapeError(
                f"codes {name!r} have shape {tuple(h.shape)}, labels {tuple(labels.shape)}; "
                "expected (n, d) and (n,)"
            )
    parts = split(len(labels), folds, rng, least=3)
    return {name: _probed(h, labels, parts, penalties) for name, h in codes.items()}


def split(n: int, count: int, rng: torch.Generator, *, least: int = 2) -> list[Tensor]:
    """The rows 0 … n - 1, by chance in `count` parts."""
    require_counts(least, folds=count)
    if count > n:
        raise ConfigurationError(f"folds is {count}, but there are {n} rows")
    order = torch.randperm(n, generator=require_generator(rng, "probes", rng.device))
    return list(order.tensor_split(count))


def rest(parts: Sequence[Tensor], *but: int) -> Tensor:
    """The rows of all other parts."""
    return torch.cat([part for i, part in enumerate(parts) if i not in but])


def _probed(
    h: Tensor, labels: Tensor, parts: Sequence[Tensor], penalties: Sequence[float]
) -> Probe:
    each, chosen = [], []
    for i, part in enumerate(parts):
        j = (i + 1) % len(parts)
        scores = [_score(h, labels, rest(parts, i, j), parts[j], p) for p in penalties]
        chosen.append(penalties[max(range(len(scores)), key=scores.__getitem__)])
        each.append(_score(h, labels, rest(parts, i), part, chosen[-1]))
    accuracy = torch.tensor(each, dtype=torch.float64)
    error = accuracy.std() / len(accuracy) ** 0.5
    return Probe(float(accuracy.mean()), float(error), accuracy, torch.tensor(chosen))


def _score(h: Tensor, labels: Tensor, train: Tensor, test: Tensor, penalty: float) -> float:
    train, test = train.to(h.device), test.to(h.device)
    return linear_probe(h[train], labels[train], h[test], labels[test], penalty=penalty)
