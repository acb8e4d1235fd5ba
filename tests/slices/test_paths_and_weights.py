"""Energies along paths, random planes, and slices through the weights of a network."""

import pytest
import torch
from problems import F64, generator, randn
from torch import nn

from ebmlab import FreeEnergy, Plane, landscape
from ebmlab.energies import Assignment, DoubleWell
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.inference import Sinkhorn
from ebmlab.networks import Prototypes
from ebmlab.slices import over_weights, path


@pytest.mark.parametrize("chunk", [2, 100])
def test_a_path_goes_from_stop_to_stop(chunk):
    stops = randn(3, 2, 4)
    found = path(lambda y: y.square().sum((1, 2)), stops, 5, chunk=chunk)
    assert found.y.shape == (11, 2, 4)
    torch.testing.assert_close(found.y[[0, 5, 10]], stops)
    torch.testing.assert_close(found.y[7], 0.6 * stops[1] + 0.4 * stops[2])
    torch.testing.assert_close(found.energy, found.y.square().sum((1, 2)))
    torch.testing.assert_close(found.t, torch.arange(11, dtype=F64) / 5)
    legs = (stops[1:] - stops[:-1]).flatten(1).norm(dim=1)
    torch.testing.assert_close(found.length, legs.sum())


def test_through_codes_a_path_goes_around_the_barrier():
    wells = torch.tensor([[-1.0, 0.0], [1.0, 0.0]], dtype=F64)
    straight = path(lambda y: 3 * (y.square().sum(1) - 1).square(), wells, 8)
    assert float(straight.barrier) == 3.0  # of a ring, at its center
    angles = torch.tensor([[torch.pi], [0.0]], dtype=F64)
    around = path(
        lambda y: 3 * (y.square().sum(1) - 1).square(),
        angles,
        64,
        decode=lambda z: torch.cat([z.cos(), z.sin()], 1),
    )
    assert float(around.barrier) < 1e-12
    assert float(around.length) == pytest.approx(torch.pi, rel=1e-3)
    assert float(path(DoubleWell().given(), randn(1, 2).expand(2, 2), 1).barrier) == 0


def test_what_is_no_path_is_refused():
    with pytest.raises(ShapeError, match="two at least"):
        path(DoubleWell().given(), randn(1, 2))
    with pytest.raises(DtypeError, match="stops"):
        path(DoubleWell().given(), torch.zeros(2, 2).long())
    coupled = FreeEnergy(Assignment(Prototypes(3, 2).double(), 0.5), Sinkhorn(0.5))
    with pytest.raises(ConfigurationError, match="couples"):
        path(coupled.given(randn(1, 3)), randn(2, 3))


@pytest.mark.parametrize("event", [(6,), (2, 3, 4)])
def test_a_random_plane_is_orthogonal_and_as_wide_as_the_data(event):
    data = 3 * randn(40, *event) + 5
    plane = Plane.random(data, generator())
    axes, rows = plane.axes.flatten(1), data.flatten(1)
    spread = (rows - rows.mean(0)).square().sum(1).mean()
    torch.testing.assert_close(axes @ axes.T, spread * torch.eye(2, dtype=F64))
    torch.testing.assert_close(plane.origin, data.mean(0))
    assert torch.equal(Plane.random(data, generator(), data[3]).origin, data[3])
    assert torch.equal(Plane.random(data, generator()).axes, plane.axes)
    with pytest.raises(ShapeError, match="at least 2 points"):
        Plane.random(data[:1], generator())


def test_a_slice_of_weights_is_the_loss_of_moved_ones():
    f, x = nn.Linear(3, 2).double(), randn(5, 3)
    before = f.weight.detach().clone()
    u = over_weights(f, lambda: f(x).square().mean(), generator())
    rng = generator()
    drawn = [torch.randn(2, 3, generator=rng, dtype=F64) for _ in range(2)]
    moves = [d * before.norm(dim=1, keepdim=True) / d.norm(dim=1, keepdim=True) for d in drawn]
    picture = landscape(u, Plane.xy(), -1.0, 2.0, 4)
    moved = before - 1.0 * moves[0] + 2.0 * moves[1]
    due = (x @ moved.T + f.bias.detach()).square().mean()
    torch.testing.assert_close(picture.energy[3, 0], due)
    assert torch.equal(f.weight, before)


def test_factors_between_layers_that_change_no_function_change_no_slice():
    f = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)).double()
    x, points = randn(20, 3), randn(4, 2)

    def energies():
        return over_weights(f, lambda: f(x).square().mean(), generator())(points)

    one = energies()
    with torch.no_grad():
        for part, factor in zip(f.parameters(), (10, 10, 0.1, 1), strict=True):
            part.mul_(factor)
    torch.testing.assert_close(energies(), one)


def test_a_slice_needs_weights_and_one_number():
    f = nn.Linear(3, 2)
    with pytest.raises(ShapeError, match=r"returned \(5, 2\)"):
        over_weights(f, lambda: f(torch.ones(5, 3)), generator())(torch.zeros(1, 2))
    with pytest.raises(ConfigurationError, match="no weight"):
        over_weights(nn.LayerNorm(3), lambda: torch.zeros(()), generator())
