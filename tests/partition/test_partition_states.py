"""Exact sums over binary states."""

import math

import numpy as np
import pytest
import torch
from discrete_support import binary_states
from partition_support import machine
from problems import F64, randn

from ebmlab.energies import RBM, Bernoulli, Ising
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.partition import enumerate_states, rbm_log_z


def test_every_state_is_counted_once():
    u = Ising((3, 3), 0.4, randn(3, 3)).double().given()
    due = (-u(binary_states(3, 3))).logsumexp(0)
    for chunk in (2**16, 7, 512):
        estimate = enumerate_states(u, torch.zeros(3, 3, dtype=F64), chunk=chunk)
        torch.testing.assert_close(estimate.log_z, due)
        assert (float(estimate.standard_error), estimate.bound) == (0.0, "exact")


def test_independent_units_have_their_closed_form():
    units = Bernoulli(2 * randn(14))
    estimate = enumerate_states(units.given(), units.logits)
    torch.testing.assert_close(estimate.log_z, units.log_z)


def test_a_length_a_shape_and_a_tensor_say_the_same():
    shapes = []

    def u(y):
        shapes.append((y.shape[1:], y.dtype))
        return y.reshape(len(y), -1).sum(1)

    for event in (4, (2, 2), torch.zeros(4, dtype=F64)):
        log_z = float(enumerate_states(u, event).log_z)
        assert log_z == pytest.approx(4 * math.log1p(math.exp(-1)), abs=1e-6)
    assert shapes == [((4,), torch.float32), ((2, 2), torch.float32), ((4,), F64)]


def test_a_machine_is_summed_over_its_smaller_side():
    for visible, hidden in ((12, 5), (5, 12)):
        rbm = machine(visible, hidden)
        full = enumerate_states(rbm.given(), rbm.visible_bias)
        torch.testing.assert_close(rbm_log_z(rbm).log_z, full.log_z)
        wrong = machine(visible, hidden, size=0.61)
        assert abs(float(rbm_log_z(wrong).log_z - full.log_z)) > 0.01
    assert not rbm_log_z(rbm).log_z.requires_grad


def test_the_machine_of_24_by_12_by_hand():
    rbm = machine()
    w, b, c = (p.detach().numpy() for p in (rbm.weights, rbm.visible_bias, rbm.hidden_bias))
    h = binary_states(12).numpy()
    terms = h @ c + np.log1p(np.exp(b + h @ w.T)).sum(1)
    due = terms.max() + np.log(np.exp(terms - terms.max()).sum())
    assert float(rbm_log_z(rbm).log_z) == pytest.approx(due, rel=1e-13)


@pytest.mark.slow
def test_the_machine_of_24_by_12_over_its_larger_side():
    rbm = machine()
    full = enumerate_states(rbm.given(), rbm.visible_bias)
    torch.testing.assert_close(rbm_log_z(rbm).log_z, full.log_z, rtol=1e-13, atol=0)


def test_what_cannot_be_counted_is_refused():
    def flat(y):
        return torch.zeros(len(y))

    with pytest.raises(ConfigurationError, match=r"2\^33 states"):
        enumerate_states(flat, 33)
    with pytest.raises(ConfigurationError, match="use ais"):
        rbm_log_z(RBM(40, 33))
    with pytest.raises(ConfigurationError, match="chunk is 0"):
        enumerate_states(flat, 2, chunk=0)
    for wrong in (math.nan, math.inf, -math.inf):
        with pytest.raises(NonFiniteError, match="log Z is"):
            enumerate_states(lambda y, e=wrong: torch.full((len(y),), e), 2)
