"""Whether a classifier is right as often as it says."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_device, require_labels
from ebmlab._kinds import require_tensors
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics.populations import population
from ebmlab.metrics.tempered import likeliest_temperature

__all__ = ["Reliability", "calibration_error", "reliability", "temperature_scaling"]


class Reliability(NamedTuple):
    """The numbers of a reliability diagram, bin by bin, (bins,) in float64.

    Attributes:
        confidence: mean of the largest probability; NaN in an empty bin.
        accuracy: how often the label of that probability is right; NaN likewise.
        share: of all data; they sum to 1.
    """

    confidence: Tensor
    accuracy: Tensor
    share: Tensor


@torch.no_grad()
def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """How often the most probable label is right, where its probability is in ((m-1)/M, m/M].

    Args:
        probabilities: p(k | y), (n, classes), of rows that sum to 1.
        labels: the right ones, (n,), whole numbers in 0 … classes - 1.
        bins: M, of equal width.

    Raises:
        ShapeError: shapes do not fit each other.
        DtypeError: labels are not whole numbers, or probabilities are.
        ConfigurationError: probabilities are negative or do not sum to 1 (logits do not), or a
            label is none of the classes.
        NonFiniteError: there is a NaN or an infinity.

    Example:
        >>> p = torch.tensor([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6]])
        >>> found = reliability(p, torch.tensor([0, 1, 1]), bins=2)
        >>> found.confidence[1], found.accuracy[1]
        (tensor(0.7333, dtype=torch.float64), tensor(0.6667, dtype=torch.float64))

    Source: Niculescu-Mizil, Caruana 2005; Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599.
    """
    require_counts(bins=bins)
    _labeled("probabilities", probabilities, labels)
    p = probabilities.double()
    off = float((p.sum(1) - 1).abs().max())
    # Half precision rounds each of the classes by up to 2^-9.
    if off > 0.02 or bool((p < 0).any()):
        raise ConfigurationError(
            f"probabilities {tuple(p.shape)} are negative, or miss a sum of 1 by {off:.3g}; pass "
            "logits.softmax(-1)"
        )
    confidence, chosen = p.max(1)
    right = (chosen == labels).double()
    index = ((confidence * bins).ceil().long() - 1).clamp(0, bins - 1)
    counts, sure, hits = (
        torch.zeros(bins, dtype=torch.float64, device=p.device).index_add_(0, index, each)
        for each in (torch.ones_like(right), confidence, right)
    )
    return Reliability(sure / counts, hits / counts, counts / len(p))


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Expected calibration error Σ_m share_m |accuracy_m - confidence_m|, over M equal bins.

    Bins and arguments are those of `reliability`. It is 0 only in expectation over endless data:
    n data of a perfectly calibrated classifier have some √(bins / n) of it.

    Example:
        >>> calibration_error(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([1, 0]))
        0.25

    Source: Naeini, Cooper, Hauskrecht 2015; Guo et al. 2017, arXiv:1706.04599.
    """
    found = reliability(probabilities, labels, bins)
    gaps = (found.accuracy - found.confidence).abs().nan_to_num(0.0)
    return float((found.share * gaps).sum())


@torch.no_grad()
def temperature_scaling(logits: Tensor, labels: Tensor) -> float:
    """The T > 0 of least cross-entropy of softmax(logits / T): fit it on held-out data.

    The cross-entropy is convex in 1/T, and T the root of its slope: where the mean logit of the
    right labels is that which the model expects. Divide test logits by it; the most probable
    label stays what it was. Labels that are all right have no T but the coldest.

    Args:
        logits: (n, classes).
        labels: the right ones, (n,).

    Raises:
        ShapeError, DtypeError, ConfigurationError, NonFiniteError: as in `reliability`.

    Example:
        >>> logits = torch.tensor([[0.0, 4.0]]).repeat(4, 1)
        >>> T = temperature_scaling(logits, torch.tensor([1, 1, 1, 0]))  # sigmoid(4 / T) = 3 / 4
        >>> round(4 / T, 4)
        1.0986

    Source: Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599.
    """
    labels = _labeled("logits", logits, labels)
    energies = -logits.double()
    at = energies.gather(1, labels.long()[:, None]).squeeze(1)
    return likeliest_temperature(energies, energies.new_zeros(()), at)


def _labeled(name: str, rows: Tensor, labels: Tensor) -> Tensor:
    """The labels, which must be one of the classes for each of the rows (n, classes)."""
    require_tensors(labels=labels)
    population(name, rows)
    require_device(name, rows.device, {"labels": labels})
    if labels.shape != rows.shape[:1]:
        raise ShapeError(
            f"labels have shape {tuple(labels.shape)}, {name} {tuple(rows.shape)}; expected "
            "(n,) and (n, classes)"
        )
    return require_labels("labels", labels, rows.shape[1])
