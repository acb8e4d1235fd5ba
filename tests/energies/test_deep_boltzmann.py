"""The deep Boltzmann machine against sums over all its states."""

import math

import pytest
import torch
from discrete_support import BINARY, Listed, binary_states, chi_square
from problems import F64, RATE, generator, randn

from ebmlab.energies import DeepBoltzmann
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.partition import enumerate_states, rbm_log_z
from ebmlab.samplers import Gibbs, run

SIZES = (4, 3, 2)
V, H1, H2 = map(binary_states, SIZES)


def machine(size=1.0):
    deep = DeepBoltzmann(*SIZES).double()
    with torch.no_grad():
        for i, parameter in enumerate(deep.parameters()):
            parameter.copy_(size * randn(*parameter.shape, seed=i))
    return deep


def table(deep):
    """E(v, h1, h2) of all states, (2^4, 2^3, 2^2), bond by bond."""
    n = SIZES[0]
    w1, w2 = deep.rbm.weights[:n], deep.rbm.weights[n:].mT
    b, a, c = deep.rbm.visible_bias[:n], deep.rbm.visible_bias[n:], deep.rbm.hidden_bias
    own = (V @ b)[:, None, None] + (H1 @ c)[None, :, None] + (H2 @ a)[None, None]
    return -own - (V @ w1 @ H1.mT)[:, :, None] - (H1 @ w2 @ H2.mT)[None]


def test_values_and_gradients_are_those_of_the_sum_over_the_odd_layer():
    deep = machine()
    got, due = deep(None, V[:, None], H2[None]), -(-table(deep)).logsumexp(1)
    torch.testing.assert_close(got, due)
    parameters, weights = list(deep.parameters()), randn(16, 4, seed=9)
    torch.testing.assert_close(
        torch.autograd.grad((weights * got).sum(), parameters),
        torch.autograd.grad((weights * due).sum(), parameters),
    )


def test_enumeration_sums_the_top_out_and_log_z_is_that_of_the_even_layers():
    deep = machine()
    free = FreeEnergy(deep, Enumerate(H2), 1.0)
    due = -(-table(deep)).logsumexp((1, 2)) + 2 * math.log(2)
    torch.testing.assert_close(free(None, V), due)
    full = (-table(deep)).logsumexp((0, 1, 2)).detach()
    torch.testing.assert_close(rbm_log_z(deep.rbm).log_z, full)
    own = enumerate_states(free.given(), torch.zeros(4, dtype=F64)).log_z
    torch.testing.assert_close(own, full - 2 * math.log(2))


def test_one_sweep_has_the_transition_probabilities_of_odd_given_even_and_back():
    deep = machine()
    joint = (-table(deep)).detach().movedim(2, 1).reshape(64, 8).flatten().softmax(0)
    joint = joint.reshape(64, 8)
    matrix = (joint / joint.sum(1, keepdim=True)) @ (joint / joint.sum(0)).mT
    law, even = joint.sum(1), deep.even(V[:, None], H2[None]).flatten(0, 1)
    torch.testing.assert_close(law @ matrix, law)
    listed = Listed(deep.rbm, even, BINARY, ())
    torch.testing.assert_close(listed.law, law)
    start, u = even[[5, 40]].repeat_interleave(8000, 0), deep.rbm.given()
    end = run(Gibbs(deep.conditionals()), u, start, steps=1, rng=generator(1)).state.y
    for i, row in enumerate(matrix[[5, 40]].numpy()):
        counts = listed.counts(end[8000 * i : 8000 * (i + 1)])
        assert chi_square(counts, row) > RATE / 2
        assert chi_square(counts, law.numpy()) < RATE


def test_the_mean_field_is_stationary_and_its_bound_holds_with_its_gradient():
    deep = machine(0.5)
    means, parameters = deep.mean_field(V, sweeps=200), list(deep.parameters())
    middle = deep.rbm.hidden_logits(deep.even(V, means)).sigmoid()
    torch.testing.assert_close(deep.rbm.visible_logits(middle)[:, 4:].sigmoid(), means)
    completed = deep.completed(sweeps=200)
    top, odd = (torch.stack([1 - m, m], -1) for m in (means, middle))
    entropy = -(top.xlogy(top)).sum((1, 2))
    free = -(-table(deep)).logsumexp((1, 2))
    bound = completed(None, V) - entropy
    assert bool((bound >= free - 1e-12).all())
    assert float((bound - free).max().detach()) < 0.1
    # E_q of the table, less the entropy of both layers, with q a product of units.
    q1, q2 = (_product(part) for part in (odd, top))
    q = (q1[:, :, None] * q2[:, None]).detach()
    mean = (q * table(deep)).sum((1, 2))
    torch.testing.assert_close(completed(None, V), mean + odd.xlogy(odd).sum((1, 2)))
    torch.testing.assert_close(
        torch.autograd.grad(completed(None, V).sum(), parameters),
        torch.autograd.grad(mean.sum(), parameters),
    )
    torch.testing.assert_close(completed.encode(V), means)


def _product(units):
    """Probabilities of all states of independent units (n, units, 2), (n, 2^units)."""
    states = binary_states(units.shape[1]).long()
    each = units[:, torch.arange(units.shape[1]), states]
    return each.prod(-1)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigurationError, match="middle is 0"):
        DeepBoltzmann(3, 0, 2)
    with pytest.raises(ConfigurationError, match="sweeps is 0"):
        DeepBoltzmann(3, 2, 2).completed(0)
    deep = DeepBoltzmann(3, 2, 2)
    with pytest.raises(ShapeError, match=r"y has shape .*\(\*batch, 3\)"):
        deep(None, torch.zeros(4, 2), torch.zeros(4, 2))
    with pytest.raises(ShapeError, match=r"z has shape .*\(\*batch, 2\)"):
        deep(None, torch.zeros(4, 3), torch.zeros(4, 3))
