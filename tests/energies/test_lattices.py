"""Ising and Potts energies against sums over bonds that are listed one by one."""

import itertools

import pytest
import torch
from discrete_support import binary_states, one_hot_states
from problems import F64, f64, generator, randn
from torch import nn

from ebmlab.energies import Ising, Potts
from ebmlab.errors import ConfigurationError, ShapeError

SHAPES = [(1, 1), (1, 2), (2, 2), (1, 5), (3, 4), (3, 3), (4, 6), (5, 2)]


def bonds(height, width, periodic):
    """Unordered pairs of neighbors, each once."""
    found = set()
    for i, j in itertools.product(range(height), range(width)):
        for a, b in ((i + 1, j), (i, j + 1)):
            other = (a % height, b % width)
            if (periodic or other == (a, b)) and other != (i, j):
                found.add(frozenset([(i, j), other]))
    return [tuple(bond) for bond in found]


def bits(*shape, seed):
    return torch.randint(0, 2, shape, generator=generator(seed)).to(F64)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_ising_is_a_sum_over_bonds(shape, periodic):
    field, y = randn(*shape, seed=1), bits(7, *shape, seed=2)
    got = Ising(shape, 0.7, field, periodic)(None, y)
    s = 2 * y - 1
    due = -(field * s).sum((1, 2))
    for a, b in bonds(*shape, periodic):
        due = due - 0.7 * s[(slice(None), *a)] * s[(slice(None), *b)]
    torch.testing.assert_close(got, due)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_potts_counts_equal_neighbors(shape, periodic):
    labels = torch.randint(0, 3, (7, *shape), generator=generator(3))
    field = randn(*shape, 3, seed=1)
    y = nn.functional.one_hot(labels, 3).to(F64)
    got = Potts(shape, 3, 0.7, field, periodic)(None, y)
    due = -(field * y).sum((1, 2, 3))
    for a, b in bonds(*shape, periodic):
        due = due - 0.7 * (labels[(slice(None), *a)] == labels[(slice(None), *b)]).double()
    torch.testing.assert_close(got, due)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (1, 5)])
def test_each_bond_may_have_a_coupling_of_its_own(shape, periodic):
    couplings = nn.Parameter(randn(2, *shape, seed=6))
    labels = bits(7, *shape, seed=2)
    s, due, same = 2 * labels - 1, torch.zeros(7, dtype=F64), torch.zeros(7, dtype=F64)
    for i, j in itertools.product(*map(range, shape)):
        for side, (a, b) in enumerate(((i + 1, j), (i, j + 1))):
            # Beyond the edge there is none, and a ring of two has one bond.
            if (a, b)[side] == shape[side] and not (periodic and shape[side] > 2):
                continue
            other = s[:, a % shape[0], b % shape[1]]
            due = due - couplings[side, i, j] * s[:, i, j] * other
            same = same - couplings[side, i, j] * (s[:, i, j] == other).double()
    got = Ising(shape, couplings, periodic=periodic)(None, labels)
    torch.testing.assert_close(got, due)
    torch.testing.assert_close(
        torch.autograd.grad(got.sum(), couplings), torch.autograd.grad(due.sum(), couplings)
    )
    one_hot = torch.stack([1 - labels, labels], -1)
    torch.testing.assert_close(Potts(shape, 2, couplings, 0.0, periodic)(None, one_hot), same)


@pytest.mark.parametrize("periodic", [True, False])
def test_two_state_potts_is_ising_of_half_the_coupling(periodic):
    y = binary_states(3, 3)
    one_hot = torch.stack([1 - y, y], dim=-1)
    ising = Ising((3, 3), 0.4, periodic=periodic)(None, y)
    potts = Potts((3, 3), 2, 0.8, periodic=periodic)(None, one_hot)
    torch.testing.assert_close(potts - potts[0], ising - ising[0])


def test_gradients_are_exact_differences():
    ising, y = Ising((3, 4), 0.7, randn(3, 4)), bits(1, 3, 4, seed=4)
    energy, grad = ising.given().value_and_grad(y)
    flips = torch.eye(12, dtype=F64).reshape(12, 3, 4)
    flipped = y + flips * (1 - 2 * y)
    torch.testing.assert_close(
        ising(None, flipped) - energy, (grad * (1 - 2 * y)).flatten(), rtol=1e-12, atol=1e-12
    )
    potts, start = Potts((2, 2), 3, 0.7, randn(2, 2, 3)), one_hot_states(2, 2, 3)[17:18]
    energy, grad = potts.given().value_and_grad(start)
    for other in one_hot_states(2, 2, 3):
        if (other != start[0]).any(-1).sum() == 1:
            change = potts(None, other[None]) - energy
            torch.testing.assert_close(change, (grad * (other - start)).sum((1, 2, 3)))


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [*SHAPES, (5, 7), (6, 5), (3, 2)])
def test_no_bond_joins_sites_of_one_color(shape, periodic):
    energy = Ising(shape, 1.0, periodic=periodic)
    masks = torch.stack(energy.colors)
    assert torch.equal(masks.sum(0), torch.ones(shape, dtype=torch.long))
    color = masks.int().argmax(0)
    assert all(color[a] != color[b] for a, b in bonds(*shape, periodic))
    odd = periodic and any(size > 2 and size % 2 for size in shape)
    assert len(energy.colors) == (3 if odd else 2)
    assert all(map(torch.equal, Potts(shape, 3, 1.0, periodic=periodic).colors, energy.colors))


def test_the_partition_function_of_a_ring_is_that_of_transfer_matrices():
    # 1 x n: Z = trace T^n with T = [[e^{J+b}, e^{-J}], [e^{-J}, e^{J-b}]].
    j, b, n = 0.6, 0.3, 7
    log_z = (-Ising((1, n), j, b)(None, binary_states(1, n))).logsumexp(0)
    transfer = f64([[j + b, -j], [-j, j - b]]).exp()
    torch.testing.assert_close(log_z, torch.linalg.matrix_power(transfer, n).trace().log())


def test_coupling_and_field_may_be_learned_or_carried():
    coupling, field = nn.Parameter(f64(0.5)), nn.Parameter(torch.zeros(3, 3, dtype=F64))
    ising, y = Ising((3, 3), coupling, field), bits(1, 3, 3, seed=5)
    (energy,) = ising(None, y)
    energy.backward()
    assert coupling.grad is not None
    torch.testing.assert_close(0.5 * coupling.grad, energy.detach())
    torch.testing.assert_close(field.grad, 1 - 2 * y[0])
    carried = Potts((2, 2), 2, torch.tensor(0.5), torch.ones(2))
    assert {"coupling", "field"} == set(carried.state_dict())


def test_what_is_no_lattice_is_refused():
    with pytest.raises(ShapeError, match=r"\(\*batch, 3, 4\)"):
        Ising((3, 4), 1.0)(None, torch.zeros(2, 4, 3))
    with pytest.raises(ShapeError, match=r"field has shape \(4, 3\)"):
        Ising((3, 4), 1.0, torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"coupling has shape \(2,\)"):
        Potts((3, 4), 3, torch.zeros(2))
    with pytest.raises(ConfigurationError, match="states is 1"):
        Potts((3, 4), 1, 1.0)
    for shape in ((0, 3), (3,), (2, 2, 2)):
        with pytest.raises(ConfigurationError, match="shape is"):
            Ising(shape, 1.0)
