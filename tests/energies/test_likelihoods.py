"""Negative log-likelihoods of a prediction against torch's distributions; their sums are one."""

import math

import pytest
import torch
from discrete_support import binary_states
from problems import F64, f64, log_integral, randn
from torch import distributions, nn

from ebmlab.energies import Bernoulli, BinaryCrossEntropy, Gaussian, GaussianNLL
from ebmlab.errors import ConfigurationError


def test_bits_cost_minus_the_log_of_their_probability():
    logits, states = 3 * randn(5), binary_states(5)
    nats = BinaryCrossEntropy()(logits, states)
    law = distributions.Bernoulli(logits=logits)
    torch.testing.assert_close(nats, -law.log_prob(states).sum(-1))
    torch.testing.assert_close((-nats).exp().sum(), f64(1.0))
    torch.testing.assert_close(nats, -Bernoulli(logits).log_prob(states))


def test_confident_bits_cost_finite_nats_and_have_finite_slopes():
    logits = f64([[-800.0, 800.0, -800.0, 800.0]]).requires_grad_()
    nats = BinaryCrossEntropy()(logits, f64([[0.0, 1.0, 1.0, 0.0]]))
    (slope,) = torch.autograd.grad(nats.sum(), logits)
    assert torch.equal(nats, f64([1600.0]))
    assert torch.equal(slope, f64([[0.0, 0.0, -1.0, 1.0]]))
    # sigmoid(x) - y to the last digits, on either side of where softplus becomes linear.
    x = f64([[-45.0, -20.5, 0.3, 19.5, 20.5, 39.9, 40.1]]).requires_grad_()
    (slope,) = torch.autograd.grad(BinaryCrossEntropy()(x, torch.zeros_like(x)).sum(), x)
    torch.testing.assert_close(slope, x.sigmoid(), rtol=1e-14, atol=0)


@pytest.mark.parametrize("std", [0.3, 2.0])
def test_numbers_cost_minus_the_log_of_their_density(std):
    x, y = randn(4, 1, 3), randn(5, 3, seed=1)
    nats = GaussianNLL(std)(x, y)
    law = distributions.Normal(x, torch.full_like(x, std))
    torch.testing.assert_close(nats, -law.log_prob(y).sum(-1))
    same = Gaussian(x[0, 0], std**2 * torch.eye(3, dtype=F64))
    torch.testing.assert_close(nats[0], -same.log_prob(y))
    axis = torch.linspace(-12 * std, 12 * std, 200, dtype=F64)
    total = log_integral(lambda p: GaussianNLL(std)(torch.zeros_like(p), p), axis, axis)
    assert abs(total) < 1e-12


def test_images_and_numbers_are_events_too():
    x, y = randn(2, 1, 3, 3), randn(2, 1, 3, 3, seed=1)
    for make in (BinaryCrossEntropy, lambda ndim: GaussianNLL(0.7, ndim=ndim)):
        torch.testing.assert_close(make(3)(x, y), make(1)(x.flatten(1), y.flatten(1)))
        torch.testing.assert_close(make(0)(x, y).flatten(1).sum(1), make(3)(x, y))


def test_a_learned_deviation_rests_at_the_root_mean_square():
    y = 0.3 * randn(200, 2)
    right = float(y.square().mean().sqrt())
    for std, slope in ((right, 0.0), (2 * right, 2 * 0.75), (right / 2, -2 * 3.0)):
        energy = GaussianNLL(std, learned=True).double()
        assert isinstance(energy.log_std, nn.Parameter)
        with torch.no_grad():
            energy.log_std.fill_(math.log(std))
        energy(torch.zeros_like(y), y).mean().backward()
        torch.testing.assert_close(energy.log_std.grad, f64(slope))
    assert not list(GaussianNLL(2.0).parameters())
    assert math.isclose(float(GaussianNLL(0.3).std), 0.3, rel_tol=1e-6)


@pytest.mark.parametrize("std", [0.0, -1.0, math.nan, math.inf])
def test_a_deviation_that_is_none_is_refused(std):
    with pytest.raises(ConfigurationError, match="std"):
        GaussianNLL(std)
