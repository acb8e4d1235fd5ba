"""A probe in float32 beside scikit-learn's, which is in float64 throughout."""

import pytest
import torch
from metrics_support import randn
from problems import generator
from scipy import optimize
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ebmlab.metrics import linear_probe, logistic
from ebmlab.metrics.logistic import fit_logistic_cpu


def blobs(n, d, classes, apart, seed=0):
    """Codes of widths from 0.1 to 10, far from 0, and labels that are not counted from 0."""
    labels = torch.randint(classes, (n,), generator=generator(seed))
    means = apart * randn(classes, d, seed=5)
    codes = (means[labels] + randn(n, d, seed=seed + 1)) * torch.logspace(-1, 1, d) + 100.0
    return codes, 3 * labels - 2


def judged(codes, labels, test_codes, test_labels, penalty):
    scaler = StandardScaler().fit(codes.double())
    judge = LogisticRegression(C=1 / penalty, max_iter=2000)
    judge.fit(scaler.transform(codes.double()), labels)
    return judge, judge.score(scaler.transform(test_codes.double()), test_labels)


@pytest.mark.parametrize("penalty", [0.1, 1.0, 100.0])
@pytest.mark.parametrize(
    ("n", "d", "classes", "apart"),
    [(600, 20, 2, 0.2), (600, 20, 7, 0.4), (100, 300, 3, 0.1), (900, 5, 10, 1.0)],
)
def test_accuracies_are_those_of_scikit_learn(n, d, classes, apart, penalty):
    train = blobs(n, d, classes, apart)
    test = blobs(1000, d, classes, apart, seed=3)
    judge, score = judged(*train, *test, penalty)
    assert linear_probe(*train, *test, penalty=penalty) == score
    assert 1.2 / classes < score < 1.0
    std = torch.from_numpy(StandardScaler().fit_transform(train[0].double()))
    index = train[1].unique(return_inverse=True)[1]
    weight, bias = fit_logistic_cpu(std, index, classes, penalty)
    torch.testing.assert_close(weight, torch.from_numpy(judge.coef_), rtol=0, atol=1e-4)
    torch.testing.assert_close(bias, torch.from_numpy(judge.intercept_), rtol=0, atol=1e-4)


def test_products_are_in_float32_and_go_on_in_float64_only_where_they_must(monkeypatch):
    seen, whole, stuck = [], optimize.minimize, False

    def watched(mean, start, **kwargs):
        seen.append(mean.codes.dtype)
        if stuck and mean.codes.dtype == torch.float32:
            found = whole(mean, start, **kwargs | {"options": logistic.OPTIONS | {"maxiter": 2}})
            return optimize.OptimizeResult(found | {"status": 2, "success": False})
        return whole(mean, start, **kwargs)

    monkeypatch.setattr(optimize, "minimize", watched)
    train, test = blobs(600, 20, 7, 0.4), blobs(1000, 20, 7, 0.4, seed=3)
    score = linear_probe(*train, *test)
    assert seen == [torch.float32]
    stuck = True
    assert linear_probe(*train, *test) == score
    assert seen[1:] == [torch.float32, torch.float64]


def test_a_probe_that_has_not_converged_says_so(monkeypatch):
    monkeypatch.setitem(logistic.OPTIONS, "maxiter", 2)
    codes, labels = blobs(600, 20, 7, 0.4)
    with pytest.warns(UserWarning, match="stopped before its minimum"):
        linear_probe(codes, labels, codes, labels)
