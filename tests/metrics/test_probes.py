"""Probes like for like, and what z tells beyond x."""

import math

import pytest
import torch
from problems import generator, randn
from sklearn.linear_model import LogisticRegression

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics import leak, linear_probe, probes

LABELS = torch.arange(90) % 3
GOOD = torch.eye(3).double()[LABELS] + 0.3 * randn(90, 3)


def test_all_encoders_meet_the_same_rows_in_the_same_folds():
    codes = {"one": GOOD, "again": 5 * GOOD - 1, "wide": torch.cat([GOOD, randn(90, 9)], 1)}
    found = probes(codes, LABELS, rng=generator(), folds=3, penalties=[0.5, 5.0])
    assert found["one"].each.equal(found["again"].each)
    assert found["one"].accuracy == pytest.approx(float(found["one"].each.mean()))
    assert found["one"].error == pytest.approx(float(found["one"].each.std()) / math.sqrt(3))
    parts = torch.randperm(90, generator=generator()).tensor_split(3)
    for i, part in enumerate(parts):
        check, train = parts[(i + 1) % 3], parts[(i + 2) % 3]
        best = max(
            (0.5, 5.0),
            key=lambda p, t=train, c=check: linear_probe(
                GOOD[t], LABELS[t], GOOD[c], LABELS[c], penalty=p
            ),
        )
        both = torch.cat([*(parts[j] for j in range(3) if j != i)])
        due = linear_probe(GOOD[both], LABELS[both], GOOD[part], LABELS[part], penalty=best)
        assert float(found["one"].each[i]) == due
        assert float(found["one"].penalty[i]) == best


def test_a_penalty_is_that_of_scikit_learn():
    std = (GOOD[:60] - GOOD[:60].mean(0)) / GOOD[:60].std(0, correction=0)
    for penalty in (0.1, 300.0):
        judge = LogisticRegression(C=1 / penalty, max_iter=2000).fit(std, LABELS[:60])
        got = linear_probe(GOOD[:60], LABELS[:60], GOOD[:60], LABELS[:60], penalty=penalty)
        assert got == pytest.approx(judge.score(std, LABELS[:60]))


def test_a_leak_is_what_z_tells_beyond_x():
    x, z = randn(600, 2), torch.eye(2).double()[torch.arange(600) % 2]
    turned = torch.where(z[:, :1] > 0, x, x.flip(1))
    # R² of the mean of x and its mirror image is 1/2.
    found = leak(x, z, turned, rng=generator())
    assert found.alone == pytest.approx(0.5, abs=0.08)
    assert found.both == pytest.approx(1, abs=1e-3)
    assert found.gain == pytest.approx(found.both - found.alone)
    # A class that z tells in nine of ten rows, x in none: log 2 - H(0.1) nats; error 0.03.
    wrong = (torch.rand(600, generator=generator(5)) < 0.1).long()
    told = leak(x, z, (z.argmax(1) + wrong) % 2, rng=generator())
    entropy = -0.1 * math.log(0.1) - 0.9 * math.log(0.9)
    assert told.gain == pytest.approx(math.log(2) - entropy, abs=0.12)
    assert told.alone == pytest.approx(-math.log(2), abs=0.03)
    assert abs(told.shuffled) < 0.03
    noise = randn(600, 2, seed=3)
    for y in (x + noise, (x + noise)[:, 0].sign().long()):
        blind = leak(x, z, y, rng=generator())
        assert abs(blind.gain) < 0.02
        assert abs(blind.gain - blind.shuffled) < 0.02


def test_what_does_not_fit_is_refused():
    rng = generator()
    with pytest.raises(ConfigurationError, match="empty"):
        probes({}, LABELS, rng=rng)
    with pytest.raises(ConfigurationError, match="folds is 2"):
        probes({"h": GOOD}, LABELS, rng=rng, folds=2)
    with pytest.raises(ConfigurationError, match="folds is 91"):
        probes({"h": GOOD}, LABELS, rng=rng, folds=91)
    with pytest.raises(ShapeError, match="codes 'h'"):
        probes({"h": GOOD[1:]}, LABELS, rng=rng)
    with pytest.raises(ShapeError, match="one for each"):
        leak(GOOD, GOOD[1:], LABELS, rng=rng)
