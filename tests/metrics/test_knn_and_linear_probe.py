"""Accuracies against other implementations, and controls that must score badly."""

import math

import numpy as np
import pytest
import torch
from metrics_support import randn
from problems import generator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from ebmlab.data import digits
from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.metrics import knn_accuracy, linear_probe, neighbors, probe


@pytest.fixture(scope="module")
def digit_codes():
    pictures, labels = digits()
    codes = pictures.flatten(1)
    return codes[:1200], labels[:1200], codes[1200:], labels[1200:]


def _slow_knn(codes, labels, test_codes, test_labels, k, weighted=True):
    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    right = 0
    for query, answer in zip(unit(test_codes), test_labels, strict=True):
        cosine = unit(codes) @ query
        votes = {}
        for i in np.argsort(-cosine)[:k]:
            vote = math.exp(cosine[i] / 0.07) if weighted else 1.0
            votes[labels[i]] = votes.get(labels[i], 0.0) + vote
        right += max(votes, key=votes.get) == answer
    return right / len(test_labels)


@pytest.mark.parametrize("k", [1, 7, 50])
def test_knn_equals_a_slow_computation_across_blocks(k, monkeypatch):
    monkeypatch.setattr(neighbors, "_BLOCK", 120 * 256)
    codes, test_codes = randn(120, 3), randn(600, 3, seed=1)
    labels = torch.randint(3, 8, (120,), generator=generator())
    test_labels = torch.randint(3, 8, (600,), generator=generator(1))
    arguments = (codes, labels, test_codes, test_labels)
    slow = _slow_knn(*(t.numpy() for t in arguments), k)
    assert knn_accuracy(*arguments, k=k) == pytest.approx(slow, abs=1e-12)


def test_knn_agrees_with_scikit_learn_on_digits_and_is_lost_on_shuffled_labels(digit_codes):
    codes, labels, test_codes, test_labels = digit_codes
    judge = KNeighborsClassifier(20, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07))
    judge.fit(codes, labels)
    score = knn_accuracy(*digit_codes)
    assert score == pytest.approx(judge.score(test_codes, test_labels), abs=2e-3)
    assert score > 0.93
    shuffled = labels[torch.randperm(len(labels), generator=generator())]
    # Chance is 0.1; of 597 trials, 0.2 lies eight standard deviations away.
    assert knn_accuracy(codes, shuffled, test_codes, test_labels) < 0.2


def test_a_close_neighbor_outvotes_two_far_ones():
    codes = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6]])
    labels = torch.tensor([0, 1, 1])
    query = torch.tensor([[1.0, 0.0]])
    assert knn_accuracy(codes, labels, query, torch.tensor([0]), k=3) == 1.0
    assert knn_accuracy(codes[1:], labels[1:], query, torch.tensor([0]), k=2) == 0.0


def test_every_neighbor_has_one_vote_where_votes_are_not_weighted():
    codes, test_codes = randn(120, 3), randn(200, 3, seed=1)
    labels = torch.randint(2, (120,), generator=generator())
    test_labels = torch.randint(2, (200,), generator=generator(1))
    arguments = (codes, labels, test_codes, test_labels)
    # An odd number of votes for two classes has no ties.
    slow = _slow_knn(*(t.numpy() for t in arguments), 9, weighted=False)
    assert knn_accuracy(*arguments, k=9, weighted=False) == pytest.approx(slow, abs=1e-12)
    assert knn_accuracy(*arguments, k=9, temperature=1e4) == pytest.approx(slow, abs=1e-12)
    first = knn_accuracy(*arguments, k=1)
    assert knn_accuracy(*arguments, k=9, temperature=1e-6) == pytest.approx(first, abs=1e-12)


def test_a_probe_for_gpus_finds_scikit_learns_weights_whatever_the_blocks(
    digit_codes, monkeypatch
):
    codes, labels, test_codes, test_labels = (t[:200] for t in digit_codes)
    codes, test_codes = codes[:, 8:32], test_codes[:, 8:32]
    monkeypatch.setattr(probe, "_BLOCK", 77)
    white = (codes - codes.mean(0)) / codes.std(0).clamp(min=1e-3)
    judge = LogisticRegression(max_iter=5000, tol=1e-8).fit(white.double(), labels)
    weight, bias = probe.fit_logistic(white.double(), labels, 10)
    # Softmax does not know a constant of all biases.
    bias = bias - bias.mean()
    np.testing.assert_allclose(weight, judge.coef_, atol=2e-3)
    np.testing.assert_allclose(bias, judge.intercept_ - judge.intercept_.mean(), atol=5e-3)
    here = probe._on_device(codes, labels, test_codes, test_labels)
    assert here == pytest.approx(linear_probe(codes, labels, test_codes, test_labels), abs=0.01)


def test_knn_refuses_more_neighbors_than_codes_and_labels_that_do_not_fit(digit_codes):
    codes, labels, test_codes, test_labels = (t[:10] for t in digit_codes)
    with pytest.raises(ConfigurationError, match="k is 11"):
        knn_accuracy(codes, labels, test_codes, test_labels, k=11)
    with pytest.raises(ConfigurationError, match="k is 0"):
        knn_accuracy(codes, labels, test_codes, test_labels, k=0)
    with pytest.raises(ShapeError, match="test_labels has shape"):
        knn_accuracy(codes, labels, test_codes, test_labels[:5], k=1)
    with pytest.raises(ShapeError, match="differ in their dimension"):
        knn_accuracy(codes, labels, test_codes[:, :5], test_labels, k=1)
    with pytest.raises(DtypeError, match="labels has dtype"):
        knn_accuracy(codes, labels.float(), test_codes, test_labels, k=1)
    with pytest.raises(NonFiniteError, match="test_codes"):
        knn_accuracy(codes, labels, test_codes / 0, test_labels, k=1)


def test_a_linear_probe_finds_a_line_and_not_a_circle():
    codes = randn(600, 2, dtype=torch.float32)
    sides = (codes @ torch.tensor([1.0, -2.0]) > 0).long()
    discs = (codes.norm(dim=1) > 1.18).long()
    assert linear_probe(codes[:400], sides[:400], codes[400:], sides[400:]) > 0.97
    assert linear_probe(codes[:400], discs[:400], codes[400:], discs[400:]) < 0.65


def test_a_linear_probe_standardizes_by_the_training_codes(digit_codes):
    codes, labels, test_codes, test_labels = digit_codes
    score = linear_probe(*digit_codes)
    assert score > 0.9
    size = torch.logspace(-6, 6, codes.shape[1])
    scaled = linear_probe(codes * size + size, labels, test_codes * size + size, test_labels)
    assert scaled == pytest.approx(score, abs=0.01)
    shifted = linear_probe(codes, labels, test_codes + 3, test_labels)
    assert shifted < score - 0.05


def test_a_linear_probe_takes_half_precision_and_refuses_a_single_class(digit_codes):
    codes, labels, test_codes, test_labels = digit_codes
    assert linear_probe(codes[:300].bfloat16(), labels[:300], test_codes, test_labels) > 0.8
    with pytest.raises(ConfigurationError, match="one class"):
        linear_probe(codes, torch.zeros_like(labels), test_codes, test_labels)
