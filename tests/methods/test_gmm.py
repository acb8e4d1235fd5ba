"""Gaussian mixtures against scikit-learn's EM, a plain likelihood, and collapse."""

from functools import partial

import numpy as np
import pytest
import torch
from mixtures_support import blobs, commits, flat_digits, unconverged
from problems import F64, f64, randn
from torch import distributions

from ebmlab import fit, methods
from ebmlab.energies import Components
from ebmlab.errors import ConfigurationError, DivergenceError, DtypeError, ShapeError
from ebmlab.inference import Enumerate

KINDS = {
    "full": lambda k, d: torch.eye(d, dtype=F64).expand(k, d, d),
    "diag": lambda k, d: torch.ones(k, d, dtype=F64),
    "spherical": lambda k, d: torch.ones(k, dtype=F64),
}


def peer(y, means, kind, steps, regularization=1e-6):
    """Scikit-learn after so many steps of EM from unit covariances and equal weights."""
    from sklearn.mixture import GaussianMixture

    k = len(means)
    start = KINDS[kind](k, means.shape[1]).numpy()
    with unconverged():
        return GaussianMixture(
            k,
            covariance_type=kind,
            means_init=means.numpy(),
            precisions_init=start,
            weights_init=np.full(k, 1 / k),
            max_iter=steps,
            tol=0.0,
            reg_covar=regularization,
        ).fit(y.numpy())


def judged(y, means, kind, steps, tolerance, regularization=1e-6):
    method = methods.gmm(means, KINDS[kind](*means.shape), regularization=regularization)
    for done in range(1, max(steps) + 1):
        commits(method, y, 1)
        if done in steps:
            theirs = peer(y, means, kind, done, regularization)
            assert -float(method(None, y).value) == pytest.approx(
                theirs.score(y.numpy()), abs=tolerance
            )
    return method, theirs


@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihood_is_scikit_learn_s_after_the_same_steps(kind):
    method, theirs = judged(blobs(), blobs()[:4], kind, (1, 2, 5, 30), 1e-9)
    weights = method.get_buffer("energy.infer.log_weights").exp()
    pairs = (
        (weights, theirs.weights_),
        (method.get_buffer("energy.energy.means"), theirs.means_),
        (method.get_buffer("energy.energy.covariances"), theirs.covariances_),
    )
    for ours, other in pairs:
        torch.testing.assert_close(ours, torch.from_numpy(other), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_real_digits_have_scikit_learn_s_likelihood(kind):
    y = flat_digits(600)[:, 10:22] * 16
    judged(y, y[:5], kind, (1, 20), 1e-6, regularization=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_free_energy_is_the_negative_log_likelihood(kind):
    means, y = randn(3, 2, seed=1), randn(6, 2, seed=2)
    covariances = {
        "full": torch.stack([a @ a.T + 0.1 * torch.eye(2) for a in randn(3, 2, 2, seed=3)]),
        "diag": randn(3, 2, seed=3).exp(),
        "spherical": randn(3, seed=3).exp(),
    }[kind]
    wide = {
        "full": covariances,
        "diag": covariances.diag_embed(),
        "spherical": (covariances[:, None] * torch.ones(2).double()).diag_embed(),
    }[kind]
    weights = f64([1.0, 2.0, 3.0])
    due = distributions.MixtureSameFamily(
        distributions.Categorical(weights), distributions.MultivariateNormal(means, wide)
    ).log_prob(y)
    free = methods.gmm(means, covariances, weights).energy
    torch.testing.assert_close(free(None, y), -due)
    torch.testing.assert_close(free(None, y[:2, None])[:, 0], -due[:2])


def test_the_likelihood_never_falls():
    y = flat_digits(300)[:, 18:30] * 16
    method = methods.gmm(y[:4], 30 * KINDS["full"](4, 12), regularization=1e-3)
    values = commits(method, y, 15)
    assert np.all(np.diff(values) <= 1e-9)
    assert values[-1] < values[0] - 1


def test_two_halves_pool_to_the_moments_of_the_whole():
    # One component: every decay of 1 is the mean and covariance of all data and the start.
    y = blobs()
    for kind, cut in (("full", lambda c: c), ("diag", lambda c: c.diagonal())):
        start = KINDS[kind](1, 2)
        method = methods.gmm(f64([[1.0, 1.0]]), start, decay=1.0, regularization=0.0)
        commits(method, y, 1, size=70)
        whole = torch.cat([f64([[1.0, 1.0]]), y])
        due = whole.T.cov(correction=0) + torch.eye(2, dtype=F64) / len(whole)
        torch.testing.assert_close(method.get_buffer("energy.energy.means")[0], whole.mean(0))
        torch.testing.assert_close(method.get_buffer("energy.energy.covariances")[0], cut(due))


def test_minibatches_reach_nearly_the_likelihood_of_full_batches():
    y = blobs()[torch.randperm(240, generator=torch.Generator().manual_seed(0))]
    means, start = blobs()[:4], KINDS["full"](4, 2)
    full, small = methods.gmm(means, start), methods.gmm(means, start, decay=0.9)
    before = float(full(None, y).value)
    commits(full, y, 40)
    assert fit(small, (None, y), steps=40, batch_size=60).optimizer is None
    best = float(full(None, y).value)
    assert float(small(None, y).value) - best < 0.02 < before - best


def test_a_component_that_answers_for_nothing_stays():
    y = blobs()
    means = torch.cat([y[:1], f64([[1e4, 1e4]])])
    method = methods.gmm(means, KINDS["diag"](2, 2))
    commits(method, y, 2)
    assert method.get_buffer("energy.energy.means")[1].tolist() == [1e4, 1e4]
    torch.testing.assert_close(method.get_buffer("energy.energy.means")[0], y.mean(0))
    assert float(method.get_buffer("energy.infer.log_weights")[1]) == -torch.inf
    assert method(None, y).value.isfinite()


@pytest.mark.parametrize("kind", KINDS)
def test_a_component_on_one_datum_is_an_error_and_nothing_moves(kind):
    y = f64([[0.0, 0.0], [0.0, 0.0], [50.0, 50.0], [51.0, 53.0], [52.0, 50.0]])
    method = methods.gmm(y[[0, 3]], KINDS[kind](2, 2), regularization=0.0)
    before = {name: part.clone() for name, part in method.state_dict().items()}
    with pytest.raises(DivergenceError, match="component 0"):
        commits(method, y, 1)
    for name, part in method.state_dict().items():
        assert torch.equal(part, before[name]), name
    commits(methods.gmm(y[[0, 3]], KINDS[kind](2, 2)), y, 1)


def test_mixtures_refuse_what_is_none():
    means, unit = torch.zeros(2, 3), torch.ones(2)
    with pytest.raises(ShapeError, match="covariances"):
        methods.gmm(means, torch.ones(3))
    with pytest.raises(ShapeError, match="means"):
        methods.gmm(torch.zeros(2), unit)
    for wrong in (-unit, torch.zeros(2, 3), -torch.eye(3).expand(2, 3, 3), unit * torch.nan):
        with pytest.raises(ConfigurationError, match="positive definite"):
            methods.gmm(means, wrong)
    with pytest.raises(ConfigurationError, match="symmetric"):
        methods.gmm(means, torch.eye(3).expand(2, 3, 3) + torch.ones(3, 3).triu(1) / 2)
    for name in ("decay", "regularization"):
        with pytest.raises(ConfigurationError, match=name):
            methods.gmm(means, unit, **{name: -1.0})
    with pytest.raises(DtypeError, match="z"):
        Components(means, unit)(None, means, torch.zeros(2))
    with pytest.raises(ShapeError, match="y has shape"):
        Components(means, unit)(None, means[:, :2], torch.zeros(2).long())


def test_weights_are_learned_at_positive_temperature_only():
    for temperature, moved in ((1.0, True), (0.0, False)):
        infer = Enumerate(torch.arange(2), decay=0.0)
        energy = Components(f64([[-2.0], [2.0]]), f64([1.0, 1.0]))
        y = f64([[-2.0], [-2.1], [-1.9], [2.0]])
        before = infer.log_weights.clone()
        infer.update(None, y, partial(infer, energy, None, y, temperature))
        assert torch.equal(before, infer.log_weights) != moved
        if moved:
            share = infer(energy, None, y, 1.0)
            assert float(infer.log_weights.exp()[0]) == pytest.approx(0.75, abs=0.01)
            assert share.weights.shape == (2, 4)
    with pytest.raises(ConfigurationError, match="decay"):
        Enumerate(torch.arange(2), decay=2.0)
