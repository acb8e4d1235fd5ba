"""Pairwise couplings against sums over pairs, and sampled by discrete kernels."""

import pytest
import torch
from discrete_support import Listed, binary_states
from problems import F64, f64, generator, randn

from ebmlab import run
from ebmlab.energies import Ising, Pairwise
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.samplers import Binary, Coloring, Gibbs, GibbsWithGradients


def coupled(shape=(2, 3)) -> Pairwise:
    energy = Pairwise(shape).double()
    with torch.no_grad():
        energy.couplings.copy_(0.4 * randn(*energy.couplings.shape, seed=1))
        energy.fields.copy_(0.3 * randn(*energy.fields.shape, seed=2))
    return energy


@pytest.mark.parametrize("shape", [5, (2, 3), (1, 2, 2)])
def test_the_energy_is_a_sum_over_pairs(shape):
    energy = coupled(shape)
    y = binary_states(*energy.shape)
    s, b = (2 * y - 1).flatten(1), energy.fields.detach().flatten()
    due, pair = -(s @ b), 0
    for i in range(len(b)):
        for j in range(i + 1, len(b)):
            due, pair = due - energy.couplings[pair] * s[:, i] * s[:, j], pair + 1
    torch.testing.assert_close(energy(None, y), due)
    assert pair == len(energy.couplings)
    bonds = energy.bonds
    assert torch.equal(bonds, bonds.mT)
    assert bool((bonds.diagonal() == 0).all())
    torch.testing.assert_close(energy(None, y), -0.5 * ((s @ bonds) * s).sum(1) - s @ b)


@pytest.mark.parametrize("shape", [(3, 3), (2, 3), (1, 4)])
@pytest.mark.parametrize("periodic", [True, False])
def test_a_lattice_is_one_of_them(shape, periodic):
    lattice = Ising(shape, 0.37, randn(*shape, seed=3), periodic)
    energy, y = Pairwise.of(lattice), binary_states(*shape)
    torch.testing.assert_close(energy(None, y), lattice(None, y))
    torch.testing.assert_close(energy.given().value_and_grad(y), lattice.given().value_and_grad(y))
    nonzero = energy.couplings[energy.couplings.abs() > 1e-12]
    torch.testing.assert_close(nonzero, f64(0.37).expand_as(nonzero))


def test_a_lattice_of_plain_numbers_and_of_single_precision():
    bonds, y = randn(2, 3, 3, seed=4), binary_states(3, 3)
    torch.testing.assert_close(
        Pairwise.of(Ising((3, 3), bonds))(None, y), Ising((3, 3), bonds)(None, y)
    )
    assert Pairwise.of(Ising((2, 2), 0.5)).couplings.dtype == torch.float32
    learned = Ising((2, 2), torch.nn.Parameter(torch.tensor(0.5)))
    assert float(Pairwise.of(learned).bonds.detach().sum()) == pytest.approx(4.0)


# Chi-square over all 64 states in three groupings, false-alarm rate 1e-6, fixed seeds; the
# control is the law of the energy turned round.
@pytest.mark.parametrize("name", ["Gibbs", "GibbsWithGradients"])
def test_discrete_kernels_sample_it(name):
    energy = coupled()
    law = Listed(energy, binary_states(2, 3), Binary(), energy.colors)
    kernel, steps = {
        "Gibbs": (Gibbs(Coloring(energy.colors)), 1),
        "GibbsWithGradients": (GibbsWithGradients(), 6),
    }[name]
    chain = run(kernel, energy.given(), law.draws(4000, 1), steps=steps, rng=generator(2))
    assert law.accepts(chain.state.y)
    turned = Listed(-1.0 * energy, law.states, law.space, law.colors)
    moved = run(kernel, energy.given(), turned.draws(4000, 1), steps=steps, rng=generator(2))
    assert not turned.accepts(moved.state.y)


def test_half_precision_keeps_the_sums_of_single():
    energy, y = coupled().to(torch.bfloat16), binary_states(2, 3).to(torch.bfloat16)
    due = energy.float()(None, y.float())
    got = energy.to(torch.bfloat16)(None, y)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, due)
    assert energy.given().value_and_grad(y)[1].dtype == torch.bfloat16


def test_what_is_no_pairwise_model_is_refused():
    with pytest.raises(ShapeError, match=r"\(\*batch, 2, 3\)"):
        Pairwise((2, 3))(None, torch.zeros(4, 3, 2))
    with pytest.raises(ConfigurationError, match="side 1 of shape is 0"):
        Pairwise((2, 0))
    with pytest.raises(ConfigurationError, match="shape is"):
        Pairwise(())
    with pytest.raises(ConfigurationError, match="lattice is of type Pairwise"):
        Pairwise.of(Pairwise(3))
    assert Pairwise(3)(None, torch.zeros(2, 3, dtype=torch.float32)).dtype != F64
