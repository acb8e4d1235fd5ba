"""Answers by thought, against descents written out, and what an early stop saves."""

import pytest
import torch
from problems import F64, randn
from torch import nn

from ebmlab import Energy, FunctionEnergy, Method, methods
from ebmlab.energies import MLP, Reconstruction, SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Amortized, FixedSteps
from ebmlab.networks import GaussianHead
from ebmlab.objectives import Unrolled
from ebmlab.prediction import think

X, STARTS = randn(4, 2, seed=1), randn(3, 4, 2, seed=2)


def wells(x, y):
    """Two wells along the first axis, the one at +1 deeper; x moves them."""
    first, second = (y - x).unbind(-1)
    return (first.square() - 1).square() - 0.3 * first + 2 * second.square()


class Wells(Energy):
    """Wells that note how many rows they are asked for."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def forward(self, x, y, z=None):
        self.rows.append(len(y))
        return wells(x, y)


def test_every_thought_is_a_step_and_the_lowest_end_is_the_answer():
    found = think(Wells(), X, STARTS, solver=FixedSteps(0.05), steps=40)
    y = STARTS.clone().requires_grad_()
    for t in range(41):
        torch.testing.assert_close(found.y[t], y.detach())
        torch.testing.assert_close(found.energies[t], wells(X, y).detach())
        (slope,) = torch.autograd.grad(wells(X, y).sum(), y)
        y = (y - 0.05 * slope).detach().requires_grad_()
    assert (found.taken == 40).all()
    ends = found.energies[-1]
    assert len(ends.argmin(0).unique()) > 1
    for i in range(4):
        torch.testing.assert_close(found.answer[i], found.y[-1, ends[:, i].argmin(), i])
    shared = think(Wells(), X, STARTS[:, 0], solver=FixedSteps(0.05), steps=2)
    assert shared.y.shape == (3, 3, 4, 2)
    torch.testing.assert_close(shared.y[:, :, 0], found.y[:3, :, 0])


def test_a_start_stops_by_itself_where_its_energy_no_longer_falls_and_costs_nothing_then():
    energy = Wells()
    full = think(Wells(), X, STARTS, solver=FixedSteps(0.05), steps=60)
    found = think(energy, X, STARTS, solver=FixedSteps(0.05), steps=60, tolerance=0.01)
    falls = full.energies[:-1] - full.energies[1:]
    small = falls <= 0.01 * (full.energies[0] - full.energies[1:])
    due = small.double().argmax(0) + 1
    assert torch.equal(found.taken, due)
    assert len(due.unique()) > 3
    # Each thought asks for the rows awake, twice: at its beginning and its end.
    assert sum(energy.rows) == 12 + 2 * int(due.sum())
    for k in range(3):
        for i in range(4):
            stop = int(due[k, i])
            torch.testing.assert_close(found.y[: stop + 1, k, i], full.y[: stop + 1, k, i])
            assert (found.y[stop:, k, i] == found.y[stop, k, i]).all()
    assert (found.energies[-1] - full.energies[-1] < 0.05 * found.energies[0]).all()
    scaled = think(1e3 * Wells(), X, STARTS, solver=FixedSteps(5e-5), steps=60, tolerance=0.01)
    assert torch.equal(scaled.taken, due)


def test_a_thought_that_raises_the_energy_is_taken_back():
    bowl = FunctionEnergy(lambda y: y.square().sum(-1))
    start = STARTS[:, 0]
    found = think(bowl, None, start, solver=FixedSteps(1.5), steps=5, tolerance=0.0)
    assert torch.equal(found.y[-1], start)
    assert (found.taken == 1).all()
    assert (think(bowl, None, start, solver=FixedSteps(1.5), steps=5).energies[1] > 1).any()


def test_a_method_thinks_by_the_solver_that_it_was_trained_with():
    torch.manual_seed(0)
    energy = MLP(2, 2, hidden=(8,)).double()
    method = Method(energy, Unrolled(FixedSteps(0.3)) + Unrolled(FixedSteps(0.7)))
    due = think(energy, X, STARTS, solver=FixedSteps(0.3)).y
    assert torch.equal(think(method, X, STARTS).y, due)
    half = think(method.bfloat16(), X.bfloat16(), STARTS.bfloat16())
    assert half.y.dtype == half.energies.dtype == torch.float32
    assert (half.y - due).abs().max() < 0.1


def test_images_tuples_and_single_x_are_thought_over():
    image = FunctionEnergy(lambda x, y: (y - x).square().sum((-3, -2, -1)), ("x", "y"), x_ndim=3,
                           y_ndim=3)  # fmt: skip
    x = randn(2, 1, 2, 2)
    found = think(image, x, torch.zeros(1, 1, 2, 2, dtype=F64), solver=FixedSteps(0.5))
    torch.testing.assert_close(found.answer, x)
    found = think(SquaredDistance(), X[0], STARTS[:, 0], solver=FixedSteps(0.5))
    torch.testing.assert_close(found.answer, X[0])


def test_what_cannot_be_thought_over_is_told():
    with pytest.raises(ConfigurationError, match="solver"):
        think(Wells(), X, STARTS)
    with pytest.raises(ConfigurationError, match="solver"):
        think(methods.regression(nn.Linear(2, 2)).double(), X, STARTS)
    with pytest.raises(ShapeError, match="think"):
        think(Wells(), X, STARTS[:, :3], solver=FixedSteps())
    with pytest.raises(ConfigurationError, match="tolerance"):
        think(Wells(), X, STARTS, solver=FixedSteps(), tolerance=-1.0)
    drawn = FreeEnergy(
        Reconstruction(nn.Linear(1, 2), takes_x=False), Amortized(GaussianHead(nn.Linear(2, 2))), 1
    ).double()
    with pytest.raises(ConfigurationError, match="draws"):
        think(drawn, None, STARTS, solver=FixedSteps())
