"""Memories: stored patterns are minima, and corrupted ones come back."""

import itertools
import math

import pytest
import torch
from discrete_support import binary_states
from problems import F64, f64, generator, randn
from torch import nn

from ebmlab.energies import GaussianMixture, Hopfield, ModernHopfield
from ebmlab.errors import ConfigurationError, ShapeError


def patterns(k, n, seed=0):
    return torch.randint(0, 2, (k, n), generator=generator(seed)).to(F64)


def corrupted(y, share, seed=1):
    flip = torch.rand(y.shape, generator=generator(seed)) < share
    return torch.where(flip, 1 - y, y)


def test_the_energy_is_the_sum_over_pairs():
    weights, bias, y = randn(5, 5), randn(5, seed=1), binary_states(5)
    s, due = 2 * y - 1, torch.zeros(32, dtype=F64)
    for i in range(5):
        due = due - bias[i] * s[:, i]
        for j in range(5):
            if i != j:
                due = due - 0.5 * weights[i, j] * s[:, i] * s[:, j]
    torch.testing.assert_close(Hopfield(weights, bias)(None, y), due)


def test_gradients_are_exact_differences():
    memory, y = Hopfield(randn(6, 6), randn(6, seed=1)), patterns(1, 6)
    energy, grad = memory.given().value_and_grad(y)
    flipped = torch.where(torch.eye(6, dtype=torch.bool), 1 - y, y)
    torch.testing.assert_close(memory(None, flipped) - energy, (grad * (1 - 2 * y))[0])


def test_stored_patterns_come_back_from_a_quarter_of_wrong_bits():
    stored = patterns(6, 200)
    memory = Hopfield.storing(stored)
    noisy = corrupted(stored, 0.25)
    assert (noisy != stored).double().mean() > 0.2
    before = noisy.clone()
    back = memory.retrieve(noisy)
    assert (back == stored).double().mean() > 0.995
    assert torch.equal(noisy, before)
    # Too many patterns drown each other.
    full = patterns(100, 200)
    lost = Hopfield.storing(full).retrieve(corrupted(full, 0.25))
    assert (lost == full).double().mean() < 0.9


def test_a_tenth_of_n_patterns_is_kept_and_sixteen_hundredths_are_not():
    """The capacity is 0.138 n.

    Over six networks 99.8 ± 0.5 % of the patterns stay within 2 % of their bits below it, and
    47 ± 3 % above: false alarms beyond six standard deviations, less than 1e-6.
    """
    kept = {}
    for load in (0.10, 0.16):
        stored = patterns(round(load * 800), 800).float()
        back = Hopfield.storing(stored).retrieve(stored[:80], sweeps=12)
        kept[load] = ((back != stored[:80]).double().mean(1) < 0.02).double().mean()
    assert kept[0.16] < 0.65 < 0.96 < kept[0.10]


def test_retrieval_descends_to_a_local_minimum():
    memory = Hopfield(randn(8, 8), randn(8, seed=1))
    y = binary_states(8)
    energies = [memory(None, memory.retrieve(y, sweeps)) for sweeps in range(6)]
    for before, after in itertools.pairwise(energies):
        assert (after <= before + 1e-12).all()
    assert (energies[-1] < energies[0] - 1).any()
    end = memory.retrieve(y, 50)
    for i in range(8):
        flipped = end.clone()
        flipped[:, i] = 1 - flipped[:, i]
        assert (memory(None, flipped) >= memory(None, end) - 1e-12).all()


def test_weights_may_be_learned_and_gradients_reach_what_counts():
    memory = Hopfield(nn.Parameter(randn(4, 4)), nn.Parameter(torch.zeros(4, dtype=F64)))
    memory(None, patterns(3, 4)).sum().backward()
    assert memory.weights.grad is not None
    assert torch.equal(memory.weights.grad.diagonal(), torch.zeros(4, dtype=F64))
    assert memory.weights.grad.abs().sum() > 0
    assert memory.bias.grad is not None
    assert not memory.retrieve(patterns(3, 4)).requires_grad


def test_the_modern_energy_is_a_gaussian_mixture():
    x, y, beta = randn(5, 3), randn(40, 3, seed=1), 2.5
    weights = (beta / 2 * x.square().sum(1)).exp()
    mixture = GaussianMixture(x, beta**-0.5, weights)(None, y)
    energy = beta * ModernHopfield(x, beta)(None, y)
    torch.testing.assert_close(energy - energy[0], mixture - mixture[0])
    longest = x.norm(dim=1).max()
    attraction = torch.stack([(beta * (x @ row)).exp().sum().log() for row in y])
    due = -attraction / beta + y.square().sum(1) / 2 + math.log(5) / beta + longest**2 / 2
    torch.testing.assert_close(ModernHopfield(x, beta)(None, y), due)


def test_the_modern_energy_is_not_negative_and_its_update_is_a_gradient_step():
    memory, y = ModernHopfield(randn(5, 3), 2.5), randn(400, 3, seed=1)
    energy, grad = memory.given().value_and_grad(y)
    torch.testing.assert_close(memory.retrieve(y), y - grad)
    assert (energy >= 0).all()
    for _ in range(5):
        y = memory.retrieve(y)
        assert (memory(None, y) <= energy + 1e-12).all()
        energy = memory(None, y)


def test_the_modern_network_keeps_more_patterns_than_it_has_units():
    stored = patterns(500, 64)
    noisy = corrupted(stored, 0.1)
    assert (noisy != stored).any(1).double().mean() > 0.99
    spins = 2 * stored - 1
    back = ModernHopfield(spins, 1.0).retrieve(2 * noisy - 1)
    torch.testing.assert_close(back, spins, rtol=0, atol=0.02)
    blended = ModernHopfield(spins, 0.01).retrieve(2 * noisy - 1)
    assert (blended - spins).abs().mean() > 0.5
    classical = Hopfield.storing(stored).retrieve(noisy)
    assert (classical != stored).double().mean() > 0.2


def test_what_is_no_memory_is_refused():
    with pytest.raises(ShapeError, match=r"weights have shape \(2, 3\)"):
        Hopfield(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"bias has shape \(3,\)"):
        Hopfield(torch.zeros(2, 2), torch.zeros(3))
    with pytest.raises(ConfigurationError, match="0 and 1"):
        Hopfield.storing(torch.tensor([[1.0, -1.0]]))
    for store in (Hopfield.storing, ModernHopfield):
        with pytest.raises(ShapeError, match=r"patterns have shape \(3,\)"):
            store(torch.zeros(3))
        with pytest.raises(ShapeError, match=r"\(\*batch, 4\)"):
            store(torch.zeros(3, 4))(None, torch.zeros(2, 5))
    with pytest.raises(ConfigurationError, match="beta is 0"):
        ModernHopfield(torch.zeros(3, 4), 0.0)
    assert f64(1.0) == ModernHopfield(torch.ones(1, 2, dtype=F64))(None, torch.zeros(2, dtype=F64))
