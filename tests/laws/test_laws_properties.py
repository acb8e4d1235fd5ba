"""Laws of energies over shapes and numbers that nobody chose by hand."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from laws_support import CODES, embedding, free, latent, normal
from torch import Tensor

from ebmlab.energies import MLP, Cosine, Gaussian, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.inference import Enumerate

F64 = torch.float64
# name -> (energy, event sizes of x, y and z; 0 where there is none).
ENERGIES = {
    "Gaussian": (lambda: Gaussian(torch.ones(2), torch.eye(2) + 0.5), (0, 2, 0)),
    "SquaredDistance": (SquaredDistance, (2, 2, 0)),
    "Cosine": (Cosine, (3, 3, 0)),
    "MLP": (lambda: MLP(2, x_dim=3, hidden=(4,)), (3, 2, 0)),
    "JointEmbedding": (embedding, (3, 3, 0)),
    "Reconstruction": (latent, (1, 2, 1)),
    "FreeEnergy": (lambda: free(Enumerate(CODES), 0.5), (1, 2, 0)),
}
quick = settings(max_examples=12, deadline=None, derandomize=True, database=None)
shapes = mutually_broadcastable_shapes(num_shapes=3, min_dims=1, max_dims=3, max_side=3)
seeds = st.integers(0, 2**20)
factors = st.floats(0.1, 10.0)
names = pytest.mark.parametrize("name", ENERGIES)


def known(name: str) -> tuple[Energy, tuple[int, int, int]]:
    make, sizes = ENERGIES[name]
    torch.manual_seed(0)
    return make().double(), sizes


def drawn(sizes, batches, seed):
    """x, y and z of these batches, None where there is none."""
    return [
        normal(*batch, size, seed=seed + i).double() if size else None
        for i, (batch, size) in enumerate(zip(batches, sizes, strict=True))
    ]


def looped(energy: Energy, data: list[Tensor | None]) -> Tensor:
    """One call for each index of the batch that all broadcast to."""
    there = [t for t in data if t is not None]
    batch = torch.broadcast_shapes(*(t.shape[:-1] for t in there))
    wide = [None if t is None else t.expand(*batch, t.shape[-1]) for t in data]
    values = [
        energy(*(None if t is None else t[index][None] for t in wide))
        for index in np.ndindex(batch)
    ]
    return torch.cat(values).reshape(batch)


class Leaky(SquaredDistance):
    """It looks at the other rows."""

    def forward(self, x, y, z=None):
        value = super().forward(x, y, z)
        return value + 1e-3 * value.mean()


@names
@quick
@given(shapes=shapes, seed=seeds)
def test_batches_of_any_shapes_broadcast_as_a_loop_over_them(name, shapes, seed):
    energy, sizes = known(name)
    data = drawn(sizes, shapes.input_shapes, seed)
    torch.testing.assert_close(energy(*data), looped(energy, data))


def test_a_look_at_other_rows_is_seen_by_the_loop():
    data = drawn((2, 2, 0), ((3, 1), (1, 2), ()), 0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(Leaky()(*data), looped(Leaky(), data))


@names
@quick
@given(rows=st.integers(1, 4), seed=seeds)
def test_a_potential_is_the_call(name, rows, seed):
    energy, sizes = known(name)
    x, y, z = drawn(sizes, [(rows,)] * 3, seed)
    value = energy(x, y, z)
    torch.testing.assert_close(energy.given(x, z=z)(y), value)
    if x is not None:
        one = energy(x[:1], y, z)
        torch.testing.assert_close(energy.given(x[0], z=z)(y), one)
    if z is not None:
        torch.testing.assert_close(energy.given(x, y=y)(z), value)


@names
@quick
@given(a=factors, b=factors, t=factors, seed=seeds)
def test_sums_scales_and_temperatures_are_those_of_the_numbers(name, a, b, t, seed):
    energy, sizes = known(name)
    other = copy.deepcopy(energy)
    for parameter in other.parameters():
        parameter.data.mul_(0.5)
    data = drawn(sizes, [(3,)] * 3, seed)
    one, two = energy(*data), other(*data)
    torch.testing.assert_close((a * energy + b * other)(*data), a * one + b * two)
    torch.testing.assert_close(((energy + other) / t)(*data), (one + two) / t)
    torch.testing.assert_close((energy / t + other / t)(*data), ((energy + other) / t)(*data))


@names
@quick
@given(order=st.permutations(range(4)), keep=st.integers(1, 4), seed=seeds)
def test_rows_go_their_own_ways(name, order, keep, seed):
    energy, sizes = known(name)
    data = drawn(sizes, [(4,)] * 3, seed)
    chosen = [None if t is None else t[list(order[:keep])] for t in data]
    torch.testing.assert_close(energy(*chosen), energy(*data)[list(order[:keep])])


@quick
@given(first=st.integers(2, 5), second=st.integers(2, 5), seed=seeds)
def test_batches_that_do_not_broadcast_are_refused(first, second, seed):
    x, y, _ = drawn((2, 2, 0), ((first,), (second,), ()), seed)
    if first == second:
        assert SquaredDistance()(x, y).shape == (first,)
    else:
        with pytest.raises(ShapeError):
            SquaredDistance()(x, y)
