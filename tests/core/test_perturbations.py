"""Perturbations: their laws against closed forms, draws against the laws, both ways alike."""

import math

import pytest
import torch
from discrete_support import binary_states, chi_square, one_hot_states
from problems import F64, RATE, fits, generator, has_variance
from scipy import stats

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.perturbations import Cyclic, Flips, Gaussian, Neighbors, Ordinal, Uniform
from ebmlab.samplers import Categorical

K, TIME = 4, 0.7


def uniform_law(k):
    return math.exp(-TIME) * torch.eye(k, dtype=F64) + (1 - math.exp(-TIME)) / k


def cyclic_law(k):
    """By the Fourier series of a ring."""
    m = torch.arange(k, dtype=F64)
    apart = m[:, None] - m
    decay = (-2 * TIME * (1 - (2 * math.pi * m / k).cos())).exp()
    return ((2 * math.pi / k * m * apart[..., None]).cos() * decay).sum(-1) / k


def ordinal_law(k):
    """By the cosines that are flat at both ends."""
    m, place = torch.arange(k, dtype=F64), torch.arange(k, dtype=F64) + 0.5
    waves = (math.pi / k * m[:, None] * place).cos()
    waves = waves / torch.linalg.vector_norm(waves, dim=1, keepdim=True)
    return waves.T @ ((-2 * TIME * (1 - (math.pi * m / k).cos())).exp()[:, None] * waves)


HEAT = {Uniform: uniform_law, Cyclic: cyclic_law, Ordinal: ordinal_law}


@pytest.mark.parametrize("kind", HEAT)
@pytest.mark.parametrize("k", [2, 3, K])
def test_heat_has_its_closed_form_and_is_symmetric(kind, k):
    law = kind(TIME).law(k)
    torch.testing.assert_close(law, HEAT[kind](k), rtol=1e-12, atol=1e-12)
    assert torch.equal(law > 0, torch.ones(k, k, dtype=torch.bool))
    torch.testing.assert_close(law, law.T)


def of_sites(law, states):
    """The law of jumps between one-hot states whose sites are independent."""
    labels = states.argmax(-1)
    return law[labels[:, None], labels[None]].prod(-1)


def of_flips(rate, states):
    apart = (states[:, None] != states[None]).sum(-1)
    return rate**apart * (1 - rate) ** (states.shape[1] - apart)


def of_neighbors(states):
    entries = states.flatten(1)
    changed = (entries[:, None] - entries[None]).abs().sum(-1)
    near = changed == changed[changed > 0].min()
    return near.double() / near.sum(1, keepdim=True)


BITS, TRIPLES = binary_states(3), one_hot_states(2, 3)
MOVES = {
    "Flips": (Flips(0.2), BITS, of_flips(0.2, BITS)),
    "Neighbors": (Neighbors(), BITS, of_neighbors(BITS)),
    "Neighbors of states": (Neighbors(Categorical()), TRIPLES, of_neighbors(TRIPLES)),
    **{kind.__name__: (kind(TIME), TRIPLES, of_sites(HEAT[kind](3), TRIPLES)) for kind in HEAT},
}


@pytest.mark.parametrize("name", MOVES)
def test_draws_both_ways_follow_the_law_and_not_another(name):
    move, states, law = MOVES[name]
    other = MOVES["Cyclic" if name == "Ordinal" else "Ordinal"][2]
    other = other if len(other) == len(law) else of_flips(0.25, BITS)
    for start in (0, len(states) - 2):
        y = states[start].expand(20_000, *states.shape[1:])
        for draw in (move.forward, move.back):
            moved = draw(y, generator(start))
            same = (moved[:, None] == states[None]).flatten(2).all(2)
            assert torch.equal(same.sum(1), torch.ones(len(y), dtype=torch.int64))
            counts = same.sum(0).double().numpy()
            # A false alarm in RATE of the seeds each: with 24 of them, in 2.4e-5.
            assert chi_square(counts, law[start].numpy()) > RATE
            assert not chi_square(counts, other[start].numpy()) > RATE


def test_gaussian_moves_have_their_variance():
    y = torch.full((20_000, 2), 3.0, dtype=F64)
    moved = Gaussian(0.3).move(y, generator()) - y
    assert has_variance(moved, 0.3)
    assert not has_variance(moved, 0.3**2)
    assert fits(moved[:, 0] / 0.3**0.5, stats.norm.cdf)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_small_rates_and_the_type_of_y(dtype):
    y = torch.zeros(400_000, 1, dtype=dtype)
    moved = Flips(0.003).move(y, generator())
    assert moved.dtype == dtype
    # Binomial, 4.9 standard deviations: 1e-6. Uniform numbers of 8 bits would flip at 1/256.
    share, error = moved.float().mean(), math.sqrt(0.003 / 400_000)
    assert abs(share - 0.003) < 4.9 * error
    assert abs(1 / 256 - 0.003) > 4.9 * error
    assert Gaussian(0.1).move(y[:9], generator()).dtype == dtype
    heat, near = Cyclic(0.1), Neighbors(Categorical())
    one_hot = TRIPLES.to(dtype)
    assert heat.move(one_hot, generator()).dtype == near.move(one_hot, generator()).dtype == dtype


@pytest.mark.parametrize("move", [Flips(0.1), Neighbors()])
def test_what_is_no_bit_is_refused(move):
    with pytest.raises(ConfigurationError, match=r"spins s = ±1 are y = \(s \+ 1\) / 2"):
        move.move(torch.tensor([[1.0, -1.0]]), generator())


def test_what_is_not_one_hot_is_refused():
    with pytest.raises(ConfigurationError, match="one-hot"):
        Cyclic(0.1).move(torch.ones(1, 3), generator())
    with pytest.raises(ShapeError, match="k >= 2"):
        Uniform(0.1).move(torch.ones(4, 1), generator())


def test_times_and_rates_lie_where_they_mean_something():
    for kind in (Gaussian, *HEAT):
        with pytest.raises(ConfigurationError, match=r"time is 0\.0"):
            kind(0.0)
    with pytest.raises(ConfigurationError, match="rate"):
        Flips(1.5)
