import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.quiver import Quiver
from plot_support import LABEL, bowl, drawn, filled, view, walk

from ebmlab import Plane, energies, landscape, plot
from ebmlab.plot.style import DATA, ENERGY, SAMPLES
from ebmlab.slices import Landscape


def test_a_contour_has_a_field_a_color_bar_and_labels():
    ax = drawn(plot.contour(view(bowl), xlabel="$x$", ylabel="$y$", title="bowl"))
    figure = ax.figure
    assert len(figure.axes) == 2
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("$x$", "$y$", "bowl")
    assert figure.axes[1].get_ylabel() == LABEL
    assert filled(ax).get_cmap() is ENERGY
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-3, 3))
    assert figure.dpi == 150


def test_data_samples_and_trajectories_lie_where_they_should():
    data = torch.rand(9, 2, requires_grad=True)
    samples = torch.rand(5, 2).bfloat16()
    ax = drawn(plot.contour(view(bowl), data=data, samples=samples, trajectories=walk()))
    scattered = [part for part in ax.collections if isinstance(part, PathCollection)]
    np.testing.assert_allclose(scattered[0].get_offsets(), data.detach(), rtol=1e-6)
    np.testing.assert_allclose(scattered[1].get_offsets(), samples.float(), rtol=1e-6)
    np.testing.assert_allclose(scattered[2].get_offsets(), walk()[-1], rtol=1e-6)
    colors = [part.get_facecolor()[0] for part in scattered[:2]]
    np.testing.assert_allclose(colors, [mpl.colors.to_rgba(c) for c in (DATA, SAMPLES)])
    lines = [part for part in ax.collections if isinstance(part, LineCollection)][-1]
    assert len(lines.get_segments()) == 11 * 3
    alphas = lines.get_color()[::3, 3]
    assert (np.diff(alphas) > 0).all()


def test_arrows_point_down_the_energy():
    ax = drawn(plot.contour(view(bowl), arrows=True))
    (arrows,) = [part for part in ax.collections if isinstance(part, Quiver)]
    x, y = arrows.X, arrows.Y
    np.testing.assert_allclose(np.hypot(arrows.U, arrows.V), 1, rtol=1e-6)
    assert ((arrows.U * x + arrows.V * y) / np.hypot(x, y) < -0.9).all()
    drawn(plot.contour(view(lambda y: 0 * y[:, 0]), arrows=True))


def test_samplers_chains_and_planes_of_other_spaces_are_drawn_by_their_coordinates():
    rng = torch.Generator().manual_seed(0)
    data = torch.randn(50, 5, generator=rng) * torch.tensor([3.0, 2, 1, 1, 1])
    plane = Plane.pca(data)
    field = landscape(energies.MLP(5).given(), plane, resolution=10)
    assert isinstance(field, Landscape)
    chains = data.reshape(10, 5, 5)
    ax = plot.contour(field, data=plane.coordinates(data), trajectories=plane.coordinates(chains))
    drawn(ax)
