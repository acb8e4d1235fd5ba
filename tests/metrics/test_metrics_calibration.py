"""Calibration against counting by hand, closed forms, and a scan of temperatures."""

import math

import numpy as np
import pytest
import torch
from problems import f64, generator, randn
from torch import Tensor
from torch.nn import functional

from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.metrics import calibration_error, reliability, temperature_scaling


def by_hand(p: Tensor, labels: Tensor, bins: int) -> float:
    """Guo's formula, bin by bin, in numpy."""
    sure, right = p.max(1).values.numpy(), (p.argmax(1) == labels).numpy()
    total = 0.0
    for m in range(bins):
        inside = (sure > m / bins) & (sure <= (m + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return float(total)


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_the_error_is_that_of_a_count_by_hand(bins):
    p = (2 * randn(300, 6)).softmax(1)
    labels = torch.randint(6, (300,), generator=generator(1))
    assert calibration_error(p, labels, bins) == pytest.approx(by_hand(p, labels, bins), abs=1e-12)
    found = reliability(p, labels, bins)
    assert float(found.share.sum()) == pytest.approx(1)
    held = found.share > 0
    mean = (found.share * found.accuracy)[held].sum()
    assert float(mean) == pytest.approx(float((p.argmax(1) == labels).double().mean()))
    assert bool(found.accuracy[~held].isnan().all())
    assert found.confidence.dtype == torch.float64


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    p = f64([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]])
    found = reliability(p, torch.tensor([0, 0, 1]), bins=4)
    assert found.share.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
    assert found.accuracy[1:].tolist() == [1, 1, 0]
    assert found.confidence[1:].tolist() == [0.5, 0.75, 1]


def test_labels_drawn_from_the_probabilities_are_calibrated_and_sharper_ones_are_not():
    # 30,000 labels of 15 bins: the error has a mean below √(15 · 0.25 / n) = 0.0112.
    logits = 2 * randn(30_000, 5)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator(2)).squeeze(1)
    assert calibration_error(logits.softmax(1), labels) < 0.0125
    assert calibration_error((1.5 * logits).softmax(1), labels) > 0.05
    # The curvature of the likelihood makes the fitted 1/T good to 0.5 %: 8 standard errors.
    assert temperature_scaling(1.5 * logits, labels) == pytest.approx(1.5, rel=0.04)


@pytest.mark.parametrize("factor", [0.02, 1.0, 30.0])
def test_the_temperature_is_the_best_of_a_grid(factor):
    logits, labels = randn(200, 4), torch.arange(200) % 4
    logits[torch.arange(200), labels] += 1.0
    logits = factor * logits
    fitted = temperature_scaling(logits + 100.0 * randn(200, 1, seed=3), labels)
    scan = fitted * torch.logspace(-1, 1, 2001, dtype=torch.float64)
    values = torch.stack([functional.cross_entropy(logits / t, labels) for t in scan])
    assert abs(int(values.argmin()) - 1000) <= 1
    assert factor == 1.0 or abs(fitted - 1) > 0.3


def test_three_right_of_four_are_three_quarters():
    logits = f64([[0.0, 4.0]]).repeat(4, 1)
    found = temperature_scaling(logits, torch.tensor([1, 1, 1, 0]))
    assert found == pytest.approx(4 / math.log(3), rel=1e-8)
    turned = temperature_scaling(logits, torch.tensor([0, 0, 0, 1]))  # worse than chance: flat
    assert turned > 1e5
    assert temperature_scaling(logits, torch.ones(4, dtype=torch.long)) < 1e-2


def test_single_and_half_precision_are_summed_in_double():
    p = torch.full((3000, 2), 0.5)
    p[:, 0], p[:, 1] = 0.7, 0.3
    labels = (torch.arange(3000) % 10 > 6).long()
    assert calibration_error(p, labels) == pytest.approx(0, abs=1e-6)
    assert calibration_error(p.bfloat16(), labels) == pytest.approx(0, abs=3e-3)


P, LABELS = torch.full((4, 2), 0.5), torch.tensor([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("error", "p", "labels", "told"),
    [
        (ConfigurationError, 3 * randn(4, 2), LABELS, "logits.softmax"),
        (ConfigurationError, P, LABELS + 1, "label 2"),
        (ShapeError, P, LABELS[:3], r"\(3,\)"),
        (ShapeError, P[0], LABELS, "probabilities"),
        (DtypeError, P, LABELS.float(), "float32"),
        (DtypeError, P.long(), LABELS, "int64"),
        (NonFiniteError, P * np.nan, LABELS, "NaN"),
    ],
)
def test_what_is_no_classification_is_refused(error, p, labels, told):
    for call in (reliability, calibration_error):
        with pytest.raises(error, match=told):
            call(p, labels)
    if "logits" not in told:
        with pytest.raises(error, match="logits" if told == "probabilities" else told):
            temperature_scaling(p, labels)
    with pytest.raises(ConfigurationError, match="bins"):
        reliability(P, LABELS, 0)
