"""Planes against linear algebra, landscapes against direct evaluation and exact integrals."""

import math

import numpy as np
import pytest
import torch

from ebmlab import FunctionEnergy, energies
from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, NonFiniteError, ShapeError
from ebmlab.slices import Landscape, Plane, landscape, over_pairs

EVENTS = [(2,), (7,), (3, 4, 5)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def bowl(y):
    return 0.5 * y.square().sum(-1)


@pytest.mark.parametrize("event", EVENTS)
def test_coordinates_undo_points_of_a_skewed_plane(event):
    plane = Plane(normal(*event), normal(2, *event, seed=1))
    ab = normal(6, 5, 2, seed=2)
    y = plane.points(ab[..., 0], ab[..., 1])
    assert y.shape == (6, 5, *event)
    torch.testing.assert_close(plane.coordinates(y), ab)


def test_points_are_the_origin_and_the_axes():
    plane = Plane(normal(3), normal(2, 3, seed=1))
    a, b = torch.tensor(2.0, dtype=torch.float64), torch.tensor(-3.0, dtype=torch.float64)
    torch.testing.assert_close(
        plane.points(a, b), plane.origin + 2 * plane.axes[0] - 3 * plane.axes[1]
    )


def test_coordinates_are_the_least_squares_projection():
    plane, y = Plane(normal(5), normal(2, 5, seed=1)), normal(9, 5, seed=2)
    judge = np.linalg.lstsq(plane.axes.numpy().T, (y - plane.origin).numpy().T, rcond=None)[0].T
    np.testing.assert_allclose(plane.coordinates(y).numpy(), judge, rtol=0, atol=1e-12)
    nearest = plane.points(*plane.coordinates(y).T)
    torch.testing.assert_close((y - nearest) @ plane.axes.T, torch.zeros(9, 2).double())


def test_the_plane_through_three_points_has_them_at_known_places():
    p, q, r = normal(3, 4, 5)
    there = Plane.through(p, q, r).coordinates(torch.stack([p, q, r]))
    torch.testing.assert_close(there, torch.tensor([[0.0, 0], [1, 0], [0, 1]]).double())


@pytest.mark.parametrize("event", EVENTS)
def test_pca_agrees_with_numpy(event):
    scales = torch.linspace(3, 0.1, math.prod(event)).double().unflatten(0, event)
    data = normal(50, *event) * scales + normal(*event, seed=1)
    plane = Plane.pca(data)
    rows = data.flatten(1).numpy()
    judge = np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:2]
    axes = plane.axes.flatten(1).numpy()
    np.testing.assert_allclose(plane.origin.flatten().numpy(), rows.mean(0), atol=1e-12)
    np.testing.assert_allclose(np.abs(np.sum(axes * judge, axis=1)), 1, atol=1e-12)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)


def test_the_signs_of_principal_directions_do_not_depend_on_the_data_order():
    data = normal(40, 4) * torch.tensor([4.0, 3, 2, 1])
    one, other = Plane.pca(data), Plane.pca(-(data - data.mean(0)).flip(0))
    torch.testing.assert_close(one.axes, other.axes)
    assert (one.axes.gather(1, one.axes.abs().argmax(1, keepdim=True)) > 0).all()


def test_half_precision_planes_keep_their_dtype():
    plane = Plane.pca((normal(20, 3) * torch.tensor([3.0, 2, 1])).bfloat16())
    view = landscape(bowl, plane, resolution=5)
    assert plane.origin.dtype == view.energy.dtype == torch.bfloat16
    ab = plane.coordinates(plane.points(torch.tensor([1.0]), torch.tensor([2.0])))
    torch.testing.assert_close(ab, torch.tensor([[1.0, 2.0]]), atol=0.05, rtol=0)


def test_a_landscape_is_the_energy_at_each_point_rows_b_columns_a():
    plane = Plane(normal(3), normal(2, 3, seed=1))
    u = energies.MLP(3).double().given()
    view = landscape(u, plane, lo=(-1.0, 0.0), hi=(2.0, 5.0), resolution=(7, 4))
    assert view.energy.shape == (4, 7)
    torch.testing.assert_close(view.a, torch.linspace(-1, 2, 7).double())
    torch.testing.assert_close(view.b, torch.linspace(0, 5, 4).double())
    for i in range(4):
        for j in range(7):
            y = plane.origin + view.a[j] * plane.axes[0] + view.b[i] * plane.axes[1]
            torch.testing.assert_close(view.energy[i, j], u(y[None])[0])


def test_a_landscape_carries_no_gradient_and_leaves_none():
    energy = energies.MLP(2)
    view = landscape(energy.given(), Plane.xy(), resolution=5)
    assert not view.energy.requires_grad
    assert all(parameter.grad is None for parameter in energy.parameters())


@pytest.mark.parametrize("chunk", [1, 7, 91, 92])
def test_chunks_bound_the_batch_and_change_nothing(chunk):
    sizes = []

    def watched(y):
        sizes.append(len(y))
        return bowl(y)

    view = landscape(watched, Plane.xy(), resolution=(13, 7), chunk=chunk)
    assert torch.equal(view.energy, landscape(bowl, Plane.xy(), resolution=(13, 7)).energy)
    assert max(sizes) <= chunk
    assert sum(sizes) == 91


@pytest.mark.parametrize(("event", "most"), [((2,), 16384), ((784,), 83), ((3, 64, 64), 5)])
def test_fewer_of_large_points_are_evaluated_at_a_time_and_nothing_changes(event, most):
    sizes, plane = [], Plane(normal(*event), normal(2, *event, seed=1))

    def watched(y):
        sizes.append(len(y))
        return bowl(y.flatten(1))

    resolution = 40 if len(event) > 1 else 130
    view = landscape(watched, plane, resolution=resolution)
    assert max(sizes) == min(most, resolution**2)
    assert sum(sizes) == resolution**2
    whole = landscape(
        lambda y: bowl(y.flatten(1)), plane, resolution=resolution, chunk=resolution**2
    )
    torch.testing.assert_close(view.energy, whole.energy, rtol=1e-13, atol=0)


@pytest.mark.parametrize("temperature", [1e-3, 0.3, 1.0, 100.0])
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_a_density_integrates_to_one_over_the_window(temperature, offset):
    plane = Plane.xy(2, torch.zeros(2).double())
    view = landscape(lambda y: bowl(y) + offset, plane, (-3.0, -2.0), (4.0, 3.0), (61, 83))
    density = view.density(temperature).numpy()
    total = np.trapezoid(np.trapezoid(density, view.a.numpy(), axis=1), view.b.numpy())
    assert total == pytest.approx(1, abs=1e-12)


def test_a_density_is_the_gaussian_that_it_should_be():
    plane = Plane.xy(2, torch.zeros(2).double())
    view = landscape(bowl, plane, -9.0, 9.0, 181)
    due = torch.exp(-(view.a**2 + view.b[:, None] ** 2) / (2 * 0.5)) / (2 * math.pi * 0.5)
    torch.testing.assert_close(view.density(0.5), due, atol=1e-12, rtol=0)


def test_infinite_energies_have_no_density():
    view = landscape(lambda y: torch.where(y[:, 0] > 0, torch.inf, bowl(y)), Plane.xy())
    density = view.density()
    assert (density[:, view.a > 0] == 0).all()
    assert density.isfinite().all()


def test_the_minimum_is_the_lowest_point_of_the_grid():
    plane = Plane(normal(3), normal(2, 3, seed=1))
    view = landscape(energies.MLP(3).double().given(), plane, resolution=(9, 6))
    point, energy = view.minimum()
    assert energy == view.energy.min()
    a, b = plane.coordinates(point)
    row, column = divmod(int(view.energy.argmin()), 9)
    torch.testing.assert_close(torch.stack([a, b]), torch.stack([view.a[column], view.b[row]]))


def test_pairs_lie_side_by_side():
    energy = FunctionEnergy(lambda x, y: x[:, 0] * y[:, 0] + y[:, 1], ("x", "y"))
    points = normal(6, 3)
    torch.testing.assert_close(
        over_pairs(energy)(points), points[:, 0] * points[:, 1] + points[:, 2]
    )
    other = FunctionEnergy(lambda x, y: x[:, 0] * y[:, 0] + x[:, 1], ("x", "y"))
    torch.testing.assert_close(
        over_pairs(other, x_dim=2)(points), points[:, 0] * points[:, 2] + points[:, 1]
    )


def test_pairs_of_an_unconditional_energy_are_columns():
    view = landscape(over_pairs(FunctionEnergy(bowl)), Plane.xy(), resolution=5)
    torch.testing.assert_close(view.energy, (0.5 * view.b**2)[:, None].expand(5, 5))


class Noisy(energies.SquaredDistance):
    stochastic = True

    def forward(self, x, y, z=None, *, rng):
        return super().forward(x, y) + torch.randn((), generator=rng)


def test_pairs_of_a_stochastic_energy_are_a_function():
    u = over_pairs(Noisy(), rng=generator())
    points = torch.zeros(4, 2)
    assert torch.equal(u(points), u(points))
    assert not torch.equal(u(points), over_pairs(Noisy(), rng=generator(1))(points))


LINE = torch.arange(4.0)[:, None] * torch.ones(3)


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ConfigurationError, lambda: Plane.through(*LINE[:3])),
        (ConfigurationError, lambda: Plane.through(LINE[1], LINE[1], LINE[2])),
        (ConfigurationError, lambda: Plane(torch.zeros(3), torch.full((2, 3), torch.nan))),
        (ConfigurationError, lambda: Plane(torch.zeros(()), torch.ones(2))),
        (ConfigurationError, lambda: Plane.pca(LINE)),
        (ConfigurationError, lambda: Plane.pca(torch.ones(5, 3))),
        (ConfigurationError, lambda: Plane.xy(1)),
        (ShapeError, lambda: Plane.xy(3, torch.zeros(2))),
        (ShapeError, lambda: Plane(torch.zeros(3), torch.ones(2, 4))),
        (ShapeError, lambda: Plane.through(torch.zeros(3), torch.ones(3), torch.ones(2))),
        (ShapeError, lambda: Plane.pca(torch.zeros(2, 3))),
        (ShapeError, lambda: Plane.pca(torch.zeros(5))),
        (NonFiniteError, lambda: Plane.pca(torch.full((5, 3), torch.nan))),
        (DtypeError, lambda: Plane(torch.zeros(2).long(), torch.eye(2).long())),
        (DtypeError, lambda: Plane(torch.zeros(2), torch.eye(2).long())),
        (DtypeError, lambda: Plane(torch.zeros(2), torch.eye(2).double())),
        (DeviceError, lambda: Plane(torch.zeros(2), torch.empty(2, 2, device="meta"))),
        (ShapeError, lambda: Plane.xy().coordinates(torch.zeros(4, 3))),
        (DtypeError, lambda: Plane.xy().coordinates(torch.zeros(4, 2).double())),
        (ConfigurationError, lambda: landscape(bowl, Plane.xy(), lo=1.0, hi=1.0)),
        (ConfigurationError, lambda: landscape(bowl, Plane.xy(), lo=(0.0, 4.0), hi=3.0)),
        (ConfigurationError, lambda: landscape(bowl, Plane.xy(), hi=math.inf)),
        (ConfigurationError, lambda: landscape(bowl, Plane.xy(), lo=math.nan)),
        (ConfigurationError, lambda: landscape(bowl, Plane.xy(), resolution=1)),
        (ConfigurationError, lambda: landscape(bowl, Plane.xy(), resolution=(5, 1))),
        (ConfigurationError, lambda: landscape(bowl, Plane.xy(), chunk=0)),
        (ShapeError, lambda: landscape(lambda y: y.square(), Plane.xy())),
        (DtypeError, lambda: landscape(lambda y: y[:, 0].long(), Plane.xy())),
        (ConfigurationError, lambda: over_pairs(energies.SquaredDistance(), x_dim=0)),
        (ConfigurationError, lambda: over_pairs(FunctionEnergy(bowl, y_ndim=3))),
        (ConfigurationError, lambda: over_pairs(FunctionEnergy(bowl, ("x", "y"), x_ndim=3))),
        (ConfigurationError, lambda: over_pairs(FunctionEnergy(bowl, ("y", "z")))),
        (ConfigurationError, lambda: over_pairs(Noisy())),
        (ShapeError, lambda: over_pairs(energies.SquaredDistance(), x_dim=2)(torch.zeros(4, 2))),
    ],
)
def test_faults_are_typed(error, make):
    with pytest.raises(error):
        make()


def test_log_z_of_a_window_is_that_of_the_gaussian():
    u = energies.Gaussian(torch.zeros(2), torch.eye(2)).double().given()
    view = landscape(u, Plane.xy(origin=torch.zeros(2).double()), -9.0, 9.0, 91)
    assert float(view.log_z()) == pytest.approx(math.log(2 * math.pi), abs=1e-9)
    assert float(view.log_z(0.5)) == pytest.approx(math.log(math.pi), abs=1e-9)


def test_samples_of_a_landscape_follow_its_density():
    # Off the middle, wider along b: a turned or transposed grid is seen.
    def u(y):
        return 0.5 * ((y[:, 0] - 1).square() + (y[:, 1] + 1).square() / 4)

    plane = Plane(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([[0.0, 1.0, 0], [0, 0, 1.0]]))
    view = landscape(lambda y: u(y[:, 1:]), plane, (-6.0, -9.0), (6.0, 9.0), (121, 91))
    n = 4000
    draws = view.sample(n, torch.Generator().manual_seed(0))
    assert draws.shape == (n, 3)
    assert (draws[:, 0] == 1).all()
    # Five standard errors of means and of variances: a false alarm in 2e-6 of the seeds.
    mean, var = draws[:, 1:].mean(0), draws[:, 1:].var(0)
    error = torch.tensor([1.0, 2.0]) * 5 / math.sqrt(n)
    assert ((mean - torch.tensor([1.0, -1.0])).abs() < error).all()
    assert ((var / torch.tensor([1.0, 4.0]) - 1).abs() < 5 * math.sqrt(2 / n) + 0.01).all()
    # Within a cell they are spread, and at the ends they stay inside.
    flat = landscape(lambda y: 0 * y.sum(-1), Plane.xy(), 0.0, 1.0, 2)
    even = flat.sample(n, torch.Generator().manual_seed(1))
    assert even.min() >= 0
    assert even.max() <= 1
    assert even.var(0).tolist() == pytest.approx([1 / 12] * 2, rel=0.1)
    cold = view.sample(n, torch.Generator().manual_seed(0), temperature=0.25)
    assert cold[:, 2].var() == pytest.approx(1.0, rel=0.12)
    with pytest.raises(ConfigurationError, match="n is 0"):
        view.sample(0, torch.Generator())


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_landscape_that_is_not_finite_has_neither_minimum_nor_density(value):
    view = landscape(bowl, Plane.xy(), resolution=4)
    energy = view.energy.clone()
    energy[1, 2] = value
    broken = Landscape(energy, view.a, view.b, view.plane)
    with pytest.raises(NonFiniteError, match="1 points are not finite"):
        broken.minimum()
    with pytest.raises(NonFiniteError):
        broken.density()
    with pytest.raises(ConfigurationError):
        view.density(temperature=0.0)
