"""Odd data have high energy with their own views: closed forms, and digits never seen."""

import math

import pytest
import torch
from problems import F64, generator, has_mean, randn
from sklearn.metrics import roc_auc_score
from torch import nn
from whole_data_support import PAIR, UNKNOWN, simclr

from ebmlab.data.views import Masked, Pair, PointNoise
from ebmlab.energies import Completion, Cosine, JointEmbedding, SquaredDistance, Whitened
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics import auroc
from ebmlab.prediction import anomaly


@pytest.mark.parametrize("distinct", [4, 1000])
def test_the_area_counts_pairs_and_half_of_the_ties(distinct):
    usual = torch.randint(distinct, (120,), generator=generator()).double()
    odd = torch.randint(distinct, (80,), generator=generator(1)).double() + distinct // 4
    pairs = (odd[:, None] > usual).double() + 0.5 * (odd[:, None] == usual).double()
    assert auroc(usual, odd) == pytest.approx(float(pairs.mean()), abs=1e-14)
    truth = torch.cat([torch.zeros(120), torch.ones(80)])
    judge = roc_auc_score(truth.numpy(), torch.cat([usual, odd]).numpy())
    assert auroc(usual, odd) == pytest.approx(judge, abs=1e-12)
    assert auroc(odd, usual) == pytest.approx(1 - judge, abs=1e-12)


def test_the_area_at_its_extremes():
    low, high = torch.tensor([1.0, 2.0]), torch.tensor([3.0, torch.inf])
    assert (auroc(low, high), auroc(high, low), auroc(low, low)) == (1.0, 0.0, 0.5)
    assert auroc(torch.zeros(3), torch.zeros(5)) == 0.5
    with pytest.raises(ShapeError, match="usual has shape"):
        auroc(torch.zeros(0), low)
    with pytest.raises(ShapeError, match="odd has shape"):
        auroc(low, low[None])
    with pytest.raises(NonFiniteError, match="odd holds NaN at 1"):
        auroc(low, torch.tensor([0.0, torch.nan]))


def test_the_mean_distance_of_two_noisy_views_is_twice_the_noises_variance():
    found = anomaly(
        SquaredDistance(),
        torch.zeros(500, 3, dtype=F64),
        Pair(PointNoise(0.5)),
        generator(),
        draws=4,
    )
    # ‖N(0, 2 σ²)‖² of 3 dimensions: mean 6 σ², variance 24 σ⁴, and four draws.
    std = math.sqrt(24 / 4) * 0.25
    assert has_mean(found, 1.5, std)
    assert not has_mean(found, 0.75, std)


def test_chunks_draws_and_method_or_energy_do_not_change_what_is_meant():
    energy = JointEmbedding(nn.Linear(3, 2).double(), head=Cosine())
    y, source = randn(11, 3), lambda y, rng: (y, y.roll(1, 1))
    due = energy(y, y.roll(1, 1)).detach()
    for chunk in (1, 4, 64):
        found = anomaly(energy, y, source, generator(), draws=3, chunk=chunk)
        torch.testing.assert_close(found, due)


def test_hidden_parts_that_cannot_be_predicted_are_odd():
    class Copy(nn.Module):
        def forward(self, patches, visible):
            return patches.mean(1, keepdim=True).expand(-1, 3, -1)

    gray = torch.rand(20, 1, 1, 1, generator=generator(), dtype=F64).expand(20, 1, 4, 4)
    busy = torch.rand(20, 1, 4, 4, generator=generator(1), dtype=F64)
    energy = Completion(Copy(), SquaredDistance(2))
    scores = [anomaly(energy, images, Masked(2), generator()) for images in (gray, busy)]
    assert auroc(*scores) == 1.0
    assert scores[0].max() < 1e-20


def test_digits_of_a_kind_never_seen_are_odd():
    method, images, labels = simclr()
    scores = anomaly(method, images, PAIR, generator(2))
    usual, odd = scores[labels != UNKNOWN], scores[labels == UNKNOWN]
    assert auroc(usual, odd) > 0.7
    # Control: a kind that was seen is not odd.
    known = labels == 0
    assert auroc(scores[~known], scores[known]) < 0.6


def test_couplings_and_impossible_numbers_are_refused():
    y, views = randn(4, 3), Pair(PointNoise(0.1))
    with pytest.raises(ConfigurationError, match="couples the rows"):
        anomaly(Whitened(SquaredDistance(), eps=0.1), y, views, generator())
    with pytest.raises(ConfigurationError, match=r"\.eval\(\)"):
        anomaly(JointEmbedding(nn.BatchNorm1d(3).double()), y, views, generator())
    for numbers in ({"draws": 0}, {"chunk": 0}):
        with pytest.raises(ConfigurationError, match="at least 1"):
            anomaly(SquaredDistance(), y, views, generator(), **numbers)
