"""Latent spaces: projections against optimization, draws against their laws, descents."""

import itertools
import math

import pytest
import torch
from problems import F64, ellipse, f64, fits, generator, randn
from scipy import optimize

from ebmlab import FreeEnergy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import (
    AdaptiveMoments,
    Circle,
    Descent,
    Enumerate,
    HeavyBall,
    Hypercube,
    OneHot,
    Simplex,
    Sphere,
    Vector,
)

SPACES = [Vector(3), Sphere(3), Circle(), Simplex(4), OneHot(5), Hypercube(3)]
COMPACT = [space for space in SPACES if not isinstance(space, Vector)]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_projections_land_in_the_space_and_keep_what_is_there(space):
    z = 3 * randn(7, 50, space.dim, seed=1)
    inside = space.project(z)
    assert inside.shape == z.shape
    assert inside.dtype == F64
    assert space.contains(inside).all()
    torch.testing.assert_close(space.project(inside), inside)
    space.require("z", inside)


@pytest.mark.parametrize("space", [Sphere(3), Simplex(4), OneHot(5), Hypercube(3)], ids=str)
def test_the_projection_is_the_nearest_point(space):
    z = 2 * randn(40, space.dim, seed=2)
    others = space.draw(20_000, generator(3), F64)
    nearest = torch.cdist(z, others).amin(1)
    ours = (z - space.project(z)).norm(dim=1)
    assert (ours <= nearest + 1e-12).all()
    assert (ours >= nearest - 0.2).all()


def test_the_projection_on_the_simplex_solves_its_quadratic_program():
    for z in (2 * randn(5, 4, seed=4)).numpy():
        found = optimize.minimize(
            lambda p, z=z: ((p - z) ** 2).sum(),
            [0.25] * 4,
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        torch.testing.assert_close(Simplex(4).project(f64(z)), f64(found.x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("space", COMPACT, ids=str)
def test_draws_are_repeatable_and_inside(space):
    for dtype in (torch.float32, F64):
        draws = space.draw(1000, generator(1), dtype)
        assert draws.shape == (1000, space.dim)
        assert draws.dtype == dtype
        assert space.contains(draws).all()
        assert torch.equal(draws, space.draw(1000, generator(1), dtype))
    assert Vector(3).draw(5, generator(1)).shape == (5, 3)


def test_draws_are_uniform():
    # Each marginal in closed form, at the files' false-alarm rate.
    n = 20_000
    height = Sphere(3).draw(n, generator(1), F64)[:, 0]
    assert fits(height, lambda t: ((t + 1) / 2).clip(0, 1))
    share = Simplex(4).draw(n, generator(2), F64)[:, 1]
    assert fits(share, lambda t: 1 - (1 - t.clip(0, 1)) ** 3)
    angle = Circle().draw(n, generator(3), F64)[:, 0]
    assert fits(angle, lambda t: (t / (2 * math.pi)).clip(0, 1))
    # Control: normals scaled to sum 1, and not to length 1, are not uniform.
    wrong = randn(n, 3, seed=4).abs()
    assert not fits((wrong / wrong.sum(1, keepdim=True))[:, 0], lambda t: 1 - (1 - t) ** 2)
    counts = OneHot(4).draw(n, generator(5), F64).sum(0)
    assert ((counts - n / 4).abs() < 6 * (n * 3 / 16) ** 0.5).all()


def test_volumes_are_those_of_known_bodies():
    assert Sphere(2).log_volume == pytest.approx(math.log(2 * math.pi))
    assert Sphere(3).log_volume == pytest.approx(math.log(4 * math.pi))
    assert Simplex(2).log_volume == pytest.approx(math.log(math.sqrt(2)))
    assert Simplex(3).log_volume == pytest.approx(math.log(math.sqrt(3) / 2))
    assert Circle().log_volume == pytest.approx(math.log(2 * math.pi))
    assert OneHot(5).log_volume == pytest.approx(math.log(5))
    assert Hypercube(3).log_volume == pytest.approx(math.log(8))


def test_atoms_are_all_points_once():
    assert torch.equal(OneHot(3).atoms(), torch.eye(3))
    every = {tuple(map(int, row)) for row in Hypercube(4).atoms()}
    assert every == set(itertools.product((0, 1), repeat=4))
    _, lecture = ellipse()
    torch.testing.assert_close(Circle().atoms(48, F64), lecture)


def test_an_angle_keeps_its_place_and_stays_below_two_pi():
    z = f64([[-1e-20], [-0.5], [2 * math.pi], [7.0], [100.0]])
    wrapped = Circle().project(z)
    assert ((wrapped >= 0) & (wrapped < 2 * math.pi)).all()
    torch.testing.assert_close(wrapped.cos(), z.cos())
    torch.testing.assert_close(wrapped.sin(), z.sin())


def test_what_is_not_in_a_space_is_named():
    assert not Sphere(2).contains(f64([[1.0, 1.0], [math.nan, 0.0]])).any()
    with pytest.raises(ConfigurationError, match="starts holds"):
        Descent(torch.ones(2, 3), space=Sphere(3))
    with pytest.raises(ShapeError, match=r"\(\*batch, 3\)"):
        Descent(torch.ones(2, 2), space=Sphere(3))
    with pytest.raises(ConfigurationError, match="start holds"):
        Descent(space=Simplex(2)).minimize(lambda z: z.sum(-1), torch.ones(2, 2))
    with pytest.raises(ConfigurationError, match="Enumerate"):
        Descent(space=OneHot(3))
    with pytest.raises(ConfigurationError, match="too many"):
        Hypercube(30).atoms()
    for kind, dim in ((Vector, 0), (Sphere, 1), (Simplex, 0), (Hypercube, 63)):
        with pytest.raises(ConfigurationError, match=str(dim)):
            kind(dim)


DIRECTIONS = [None, HeavyBall(0.5), AdaptiveMoments()]


@pytest.mark.parametrize("direction", DIRECTIONS, ids=str)
def test_a_descent_on_the_sphere_finds_the_lowest_eigenvector(direction):
    root = randn(4, 4, seed=1)
    matrix = root @ root.T
    lowest = torch.linalg.eigh(matrix)
    space = Sphere(4)
    solver = Descent(steps=2000, direction=direction, space=space, tolerance=1e-7)
    found = solver.minimize(
        lambda z: torch.einsum("ni,ij,nj->n", z, matrix, z), space.draw(5, generator(2), F64)
    )
    assert space.contains(found.argmin).all()
    torch.testing.assert_close(found.energy, lowest.eigenvalues[0].expand(5))
    assert (found.residual < 1e-5).all()
    along = (found.argmin @ lowest.eigenvectors[:, 0]).abs()
    torch.testing.assert_close(along, torch.ones(5, dtype=F64))


@pytest.mark.parametrize("direction", [None, HeavyBall(0.5)], ids=str)
def test_a_descent_in_the_simplex_ends_at_the_projection_corners_included(direction):
    target = 2 * randn(30, 4, seed=5)
    solver = Descent(steps=500, direction=direction, space=Simplex(4), tolerance=1e-7)
    begin = torch.full((30, 4), 0.25, dtype=F64)
    found = solver.minimize(lambda z: (z - target).square().sum(-1), begin)
    torch.testing.assert_close(found.argmin, Simplex(4).project(target), rtol=0, atol=1e-6)
    assert (found.argmin == 0).any()


def test_a_descent_on_the_circle_crosses_where_its_ends_meet():
    energy, atoms = ellipse()
    y = f64([[2.0, -0.3], [2.0, 0.3], [-1.0, 1.0]])
    solver = Descent(Circle().draw(6, generator(1), F64), space=Circle(), steps=200)
    free = FreeEnergy(energy, solver)
    fine = FreeEnergy(energy, Enumerate(Circle().atoms(20_000, F64)))
    torch.testing.assert_close(free(None, y), fine(None, y), rtol=0, atol=1e-6)
    crossing = Descent(f64([[0.1]]), space=Circle(), steps=200)(energy, None, y[:1])
    assert float(crossing.atoms) > 5
    assert len(atoms) == 48
