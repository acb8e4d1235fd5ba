"""Landscapes over what a view is made by, and over the plane of codes."""

import pytest
import torch
from problems import F64, fits, generator, randn
from scipy import stats
from torch import nn
from whole_data_support import simclr

from ebmlab import FreeEnergy, Plane, landscape, run
from ebmlab.data.views import Crop, Rotate
from ebmlab.data.views.crop import Window
from ebmlab.energies import Assignment, JointEmbedding, Reconstruction, SquaredDistance, Whitened
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Amortized, Sinkhorn
from ebmlab.networks import Prototypes
from ebmlab.samplers import MALA
from ebmlab.slices import over_parameters


def cropped_and_turned(image):
    """The crop of 6 × 6 pixels whose left edge is a, turned by b degrees."""

    def at(left, angle):
        one = torch.ones_like(left)
        boxes = Window(one, left, 6 * one, 6 * one)
        cut = Crop(8).apply(image.expand(len(left), -1, -1, -1), boxes)
        return Rotate().apply(cut, (angle,))

    return at


def test_each_point_is_the_energy_of_the_view_made_there():
    image = torch.rand(1, 1, 8, 8, generator=generator(), dtype=F64)
    at, f = cropped_and_turned(image), nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    energy = JointEmbedding(f, head=SquaredDistance(), x_ndim=3)
    plane = Plane.xy(origin=torch.zeros(2, dtype=F64))
    for x in (image, image[0]):
        u = over_parameters(energy, x, at)
        picture = landscape(u, plane, (0.0, -40.0), (2.0, 40.0), (3, 5), chunk=4)
        assert picture.energy.shape == (5, 3)
        for i, angle in enumerate(picture.b):
            for j, left in enumerate(picture.a):
                due = energy(image, at(left[None], angle[None]))[0]
                torch.testing.assert_close(picture.energy[i, j], due.detach())


def test_a_trained_embedding_is_low_about_the_parameters_that_made_x():
    method, images, _ = simclr()
    at = cropped_and_turned(images[:1])
    x = at(torch.tensor([1.0]), torch.tensor([0.0]))
    u = over_parameters(method.energy, x, at)
    picture = landscape(u, Plane.xy(), (0.0, -180.0), (2.0, 180.0), (5, 25))
    point, least = picture.minimum()
    assert point.tolist() == [1.0, 0.0]
    torch.testing.assert_close(least, torch.tensor(-1.0))
    # What training has made it blind to costs little: crops, and turns by 15 degrees, not by 90.
    small, large = picture.energy[11:14], picture.energy[[6, 18]]
    assert small.mean() < large.mean() - 0.3


def test_the_code_plane_shows_the_heads_energy_of_codes():
    method, images, _ = simclr()
    with torch.no_grad():
        head, hx, hy = method.energy.embed(images[:1], images)
    plane = Plane.pca(hy)
    picture = landscape(head.given(hx[0]), plane, -1.0, 1.0, resolution=9)
    code = plane.points(picture.a[2], picture.b[7])
    torch.testing.assert_close(picture.energy[7, 2], head(hx[0], code))


def test_parameters_are_drawn_by_the_samplers_too():
    # ‖image - (a image + b)‖² / T is a quadratic of a and b about (1, 0).
    image = torch.rand(1, 1, 8, 8, generator=generator(), dtype=F64)

    def dimmed(share, shift):
        return share[:, None, None, None] * image + shift[:, None, None, None]

    u = over_parameters(SquaredDistance(3) / 10.0, image, dimmed)
    chain = run(MALA(0.06), u, torch.zeros(2000, 2, dtype=F64), steps=150, rng=generator())
    columns = torch.stack([image.flatten(), torch.ones(64, dtype=F64)])
    precision = 2 * columns @ columns.T / 10
    apart = chain.state.y - torch.tensor([1.0, 0.0], dtype=F64)
    squares = torch.einsum("ni,ij,nj->n", apart, precision, apart)
    assert fits(squares, stats.chi2(2).cdf)
    assert not fits(1.3 * squares, stats.chi2(2).cdf)


def test_random_energies_replay_their_draws():
    class Wide(nn.Module):
        def forward(self, y):
            return y, torch.zeros_like(y)

    energy = FreeEnergy(
        Reconstruction(nn.Linear(2, 2).double(), takes_x=False), Amortized(Wide()), 1.0
    )
    u = over_parameters(energy, None, lambda a, b: torch.stack([a, b], 1), rng=generator())
    points = randn(4, 2)
    assert torch.equal(u(points), u(points))
    torch.testing.assert_close(u(points), energy(None, points, rng=generator()))


def test_what_is_no_function_of_one_pair_is_refused():
    x = randn(1, 3)
    for coupled in (
        Whitened(SquaredDistance(), eps=0.1),
        FreeEnergy(Assignment(Prototypes(3, 2).double(), 0.5), Sinkhorn(0.5)),
    ):
        with pytest.raises(ConfigurationError, match="couples True"):
            over_parameters(coupled, x, lambda a, b: x)
    with pytest.raises(ConfigurationError, match="takes_z True"):
        over_parameters(Assignment(Prototypes(3, 2).double(), 0.5), x, lambda a, b: x)
    with pytest.raises(ConfigurationError, match=r"\.eval\(\)"):
        over_parameters(JointEmbedding(nn.BatchNorm1d(3).double()), x, lambda a, b: x)
    with pytest.raises(ShapeError, match="one energy per row"):
        over_parameters(SquaredDistance(), x, lambda a, b: x)(randn(5, 2))
