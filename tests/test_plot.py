"""Pictures hold what they should: axes, labels, shared color limits, frames; nothing leaks."""

import re
import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from PIL import Image

from ebmlab import Plane, energies, landscape, plot
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.plot.scale import heights, scale
from ebmlab.plot.style import DATA, ENERGY, PALETTE, SAMPLES, TEMPERATURE
from ebmlab.slices import Landscape

LABEL = r"energy $E - \min E$  (nats at $T = 1$)"


def view(u, lo=-3.0, hi=3.0, resolution=30):
    return landscape(u, Plane.xy(), lo, hi, resolution)


def bowl(y):
    return 0.5 * y.square().sum(-1)


def spiked(y):
    return bowl(y) + 1e6 * (y.norm(dim=-1) < 0.2)


def walk(kept=12, chains=3):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(kept, chains, 2, generator=rng).cumsum(0) / 4


def filled(ax):
    """The filled contours: the first thing drawn."""
    return ax.collections[0]


def drawn(ax):
    """Lay out and draw, so that a warning of any late stage is an error here."""
    ax.figure.draw_without_rendering()
    return ax


def lightness(rgb):
    """CIE L*, a* and b* of sRGB colors."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750]]
    matrix.append([0.0193339, 0.1191920, 0.9503041])
    xyz = linear @ np.array(matrix).T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def test_color_maps_grow_lighter_and_that_of_energies_in_nearly_equal_steps():
    place = np.linspace(0, 1, 33)
    energy, heat, jet = (
        lightness(colors(place)[:, :3]) for colors in (ENERGY, TEMPERATURE, mpl.colormaps["jet"])
    )
    steps = np.linalg.norm(np.diff(energy, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.5
    assert (np.diff(energy[:, 0]) > 0).all()
    assert (np.diff(heat[:, 0]) > 0).all()
    assert not (np.diff(jet[:, 0]) > 0).all()


def test_a_contour_has_a_field_a_color_bar_and_labels():
    ax = drawn(plot.contour(view(bowl), xlabel="$x$", ylabel="$y$", title="bowl"))
    figure = ax.figure
    assert len(figure.axes) == 2
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("$x$", "$y$", "bowl")
    assert figure.axes[1].get_ylabel() == LABEL
    assert filled(ax).get_cmap() is ENERGY
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-3, 3))
    assert figure.dpi == 150


def test_text_is_legible_in_print():
    ax = drawn(plot.contour(view(bowl), title="bowl"))
    texts = [ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.figure.axes[1].get_yticklabels()]
    assert min(text.get_fontsize() for text in texts) >= 8


def test_a_quadratic_bowl_is_shown_nearly_whole():
    field = heights(view(bowl, resolution=101))
    assert scale([field]).high > 0.9 * field.max()


def test_one_huge_value_does_not_wash_out_the_picture():
    ax = drawn(plot.contour(view(spiked)))
    low, high = filled(ax).get_clim()
    assert (low, high) == (0, pytest.approx(scale([heights(view(bowl))]).high, rel=0.05))
    assert filled(ax).extend == "max"
    linear = drawn(plot.contour(view(lambda y: y[:, 0])))
    assert filled(linear).extend == "neither"
    assert filled(linear).get_clim() == (0, pytest.approx(6))


def test_limits_are_kept_and_pointed_at_both_ends():
    ax = drawn(plot.contour(view(bowl), limits=(1.0, 2.0)))
    assert filled(ax).get_clim() == (1, 2)
    assert filled(ax).extend == "both"


def test_an_offset_of_the_energy_is_not_seen():
    plane = Plane.xy(2, torch.zeros(2).double())
    field = heights(landscape(lambda y: bowl(y) + 1e11, plane, resolution=20))
    np.testing.assert_allclose(field, heights(view(bowl, resolution=20)), atol=1e-4)


def test_a_collapsed_energy_is_flat_and_not_its_own_rounding_noise():
    noise = torch.randn(900, generator=torch.Generator().manual_seed(0))
    ax = drawn(plot.contour(view(lambda y: 3 + 1e-7 * noise)))
    assert filled(ax).get_clim() == (0, 1)
    assert (filled(ax).get_array() < 0.02).any()
    assert heights(view(lambda y: 3 + 1e-3 * noise)).max() > 1e-3


def test_walls_are_beyond_the_scale_and_undefined_energies_are_holes():
    def broken(y):
        return torch.where(y[:, 0] > 1, torch.nan, torch.where(y[:, 1] > 1, torch.inf, bowl(y)))

    ax = drawn(plot.contour(view(broken), arrows=True))
    assert filled(ax).extend == "max"
    assert np.isfinite(filled(ax).get_clim()).all()
    drawn(plot.surface(view(broken)))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nothing_finite_is_refused(value):
    with pytest.raises(NonFiniteError):
        plot.contour(view(lambda y: torch.full((len(y),), value)))


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


def test_a_row_of_landscapes_shares_one_scale_and_one_color_bar():
    fields = [view(bowl), view(lambda y: 100 + 3 * bowl(y)), view(lambda y: 0 * y[:, 0])]
    samples = [None, torch.zeros(4, 2), None]
    names = ["one", "three", "flat"]
    figure = plot.landscapes(fields, names, data=torch.rand(6, 2), samples=samples)
    drawn(figure.axes[0])
    *panels, bar = figure.axes
    assert [ax.get_title() for ax in panels] == ["one", "three", "flat"]
    assert len({filled(ax).get_clim() for ax in panels}) == 1
    assert bar.get_ylim() == pytest.approx(filled(panels[0]).get_clim())
    assert bar.get_ylabel() == LABEL
    marks = [sum(isinstance(p, PathCollection) for p in ax.collections) for ax in panels]
    assert marks == [1, 2, 1]
    assert [ax.get_ylabel() for ax in panels] == ["$b$", "", ""]


def test_landscapes_of_their_own_scales_have_each_a_color_bar():
    fields = [view(bowl), view(lambda y: 3 * bowl(y))]
    figure = plot.landscapes(fields, ["one", "three"], shared=False)
    drawn(figure.axes[0])
    assert len(figure.axes) == 4
    (_, one), (_, three) = (filled(figure.axes[k]).get_clim() for k in (0, 2))
    assert three == pytest.approx(3 * one)


def test_a_grid_of_landscapes_labels_its_outer_axes():
    figure = plot.landscapes([view(bowl, resolution=5)] * 5, list("abcde"), columns=3)
    drawn(figure.axes[0])
    *panels, _ = figure.axes
    assert [bool(ax.get_xlabel()) for ax in panels] == [False, False, True, True, True]
    assert [bool(ax.get_ylabel()) for ax in panels] == [True, False, False, True, False]


def test_titles_do_not_overlap_the_panels_above():
    figure = plot.landscapes([view(bowl, resolution=5)] * 4, list("abcd"), columns=2)
    drawn(figure.axes[0])
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert not one.overlaps(other)


def test_a_surface_is_cut_to_the_scale():
    ax = drawn(plot.surface(view(spiked), title="spiked", xlabel="$x$"))
    low, high = ax.get_zlim()
    assert (low, high) == (0, pytest.approx(scale([heights(view(spiked))]).high))
    assert (ax.get_xlabel(), ax.get_zlabel(), ax.get_title()) == ("$x$", "$E$", "spiked")
    assert len(ax.figure.axes) == 2
    given = Figure().add_subplot(projection="3d")
    assert plot.surface(view(bowl), given, colorbar=False) is given
    assert len(given.figure.axes) == 1


def test_functions_draw_on_the_axes_given():
    ax = Figure().add_subplot()
    assert plot.contour(view(bowl), ax, xlabel="$x$", colorbar=False) is ax
    assert plot.trajectories(walk(), ax) is ax
    assert ax.get_xlabel() == "$x$"
    assert ax.get_xlim() == pytest.approx((-3, 3))
    lone = drawn(plot.trajectories(walk(), title="walk"))
    assert (lone.get_xlabel(), lone.get_title()) == ("$a$", "walk")
    places = walk()
    assert lone.dataLim.x0 <= places[..., 0].min()
    assert lone.dataLim.x1 >= places[..., 0].max()


def test_free_energies_are_colored_by_temperature_and_zero_is_apart():
    y = torch.linspace(-1, 1, 20)
    temperatures = torch.tensor([1.0, 0.0, 10.0, 0.1])
    values = temperatures[:, None] + y.square()
    ax = drawn(plot.free_energy(y, values.requires_grad_(), temperatures))
    assert len(ax.figure.axes) == 2
    assert ax.figure.axes[1].get_yscale() == "log"
    assert ax.figure.axes[1].get_ylabel() == "temperature $T$"
    *warm, cold = ax.lines
    assert cold.get_label() == "$T = 0$"
    assert cold.get_color() == "black"
    np.testing.assert_allclose([line.get_ydata().min() for line in warm], [10, 1, 0.1], rtol=0.1)
    light = [lightness(np.array([line.get_color()[:3]]))[0, 0] for line in warm]
    assert light == sorted(light, reverse=True)
    assert len(drawn(plot.free_energy(y, y[None], [0.0])).figure.axes) == 1
    assert drawn(plot.free_energy(y, y[None], [2.0])).get_legend() is None


def test_curves_are_told_apart_without_color():
    names = {str(k): torch.arange(4.0) + k for k in range(4)}
    ax = drawn(plot.curves(names, [0, 10, 20, 30], xlabel="step", ylabel="nats", logy=True))
    assert [line.get_label() for line in ax.lines] == list(names)
    assert [line.get_color() for line in ax.lines] == list(PALETTE[:4])
    assert len({str(line._unscaled_dash_pattern) for line in ax.lines}) == 4
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [0, 10, 20, 30])


def test_images_are_laid_out_in_rows_pixel_by_pixel():
    batch = torch.rand(5, 3, 4, 6, requires_grad=True) * 2
    ax = drawn(plot.images(batch, columns=2, title="five"))
    sheet = ax.images[0].get_array()
    assert sheet.shape == (3 * 5 + 1, 2 * 7 + 1, 3)
    due = batch[3].detach().permute(1, 2, 0).clamp(0, 1)
    np.testing.assert_allclose(sheet[6:10, 8:14], due, rtol=1e-6)
    assert (sheet[11:15, 8:14] == 1).all()
    gray = plot.images(torch.full((1, 1, 4, 4), 0.5)).images[0].get_array()
    assert (gray[1:5, 1:5] == 0.5).all()


def test_a_gif_has_a_frame_per_draw(tmp_path):
    path = plot.animate(view(bowl), walk(7), tmp_path / "chains.gif", fps=10, tail=3)
    with Image.open(path) as film:
        assert film.n_frames == 7
        assert film.info["duration"] == 100
        film.seek(0)
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(6)
        last = np.asarray(film.convert("RGB")).astype(int)
    changed = np.abs(first - last).max(-1) > 0
    assert 0.0005 < changed.mean() < 0.05


def test_an_html_film_needs_nothing_else(tmp_path):
    path = plot.animate(view(bowl), walk(4), str(tmp_path / "chains.html"), tail=0)
    page = path.read_text()
    assert "http" not in page
    assert re.search(r"(src|href)=[\"'](?!data:)", page) is None
    assert page.count('"iVBORw0KGgo') == 4
    assert 'max="3"' in page


def test_pictures_leave_pyplot_and_its_settings_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    before = mpl.rcParams.copy()
    plot.contour(BOWL)
    plot.surface(BOWL)
    plot.curves({"one": [1.0, 2.0]})
    assert "matplotlib.pyplot" not in sys.modules
    assert mpl.rcParams.copy() == before


def test_the_style_is_a_context():
    before = mpl.rcParams["axes.linewidth"]
    with plot.style():
        assert mpl.rcParams["axes.linewidth"] == 0.6
    assert mpl.rcParams["axes.linewidth"] == before != 0.6


BOWL = view(bowl, resolution=4)


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ShapeError, lambda: plot.contour(BOWL, data=torch.zeros(4, 3))),
        (ShapeError, lambda: plot.contour(BOWL, samples=torch.zeros(0, 2))),
        (ShapeError, lambda: plot.contour(BOWL, trajectories=torch.zeros(4, 2))),
        (ConfigurationError, lambda: plot.contour(BOWL, limits=(1.0, 1.0))),
        (ConfigurationError, lambda: plot.contour(BOWL, limits=(0.0, torch.inf))),
        (ConfigurationError, lambda: plot.surface(BOWL, Figure().add_subplot())),
        (ConfigurationError, lambda: plot.landscapes([], [])),
        (ConfigurationError, lambda: plot.landscapes([BOWL], ["one", "two"])),
        (ConfigurationError, lambda: plot.landscapes([BOWL], ["one"], samples=[])),
        (ConfigurationError, lambda: plot.landscapes([BOWL], ["one"], columns=0)),
        (ShapeError, lambda: plot.trajectories(torch.zeros(4, 3))),
        (ConfigurationError, lambda: plot.animate(BOWL, walk(), "chains.mp4")),
        (ConfigurationError, lambda: plot.animate(BOWL, walk(), "chains.gif", fps=0)),
        (ConfigurationError, lambda: plot.animate(BOWL, walk(), "chains.gif", tail=-1)),
        (ShapeError, lambda: plot.animate(BOWL, torch.zeros(4, 2), "chains.gif")),
        (ShapeError, lambda: plot.free_energy(torch.zeros(3), torch.zeros(2, 4), [0.0, 1.0])),
        (ConfigurationError, lambda: plot.free_energy(torch.zeros(3), torch.zeros(1, 3), [-1.0])),
        (ConfigurationError, lambda: plot.free_energy(torch.zeros(3), torch.zeros(0, 3), [])),
        (ConfigurationError, lambda: plot.curves({})),
        (ShapeError, lambda: plot.curves({"one": [1.0, 2.0]}, [1.0])),
        (ShapeError, lambda: plot.curves({"one": torch.zeros(2, 2)})),
        (ShapeError, lambda: plot.images(torch.zeros(4, 8, 8))),
        (ShapeError, lambda: plot.images(torch.zeros(4, 2, 8, 8))),
        (ShapeError, lambda: plot.images(torch.zeros(0, 1, 8, 8))),
        (ConfigurationError, lambda: plot.images(torch.zeros(4, 1, 8, 8), columns=0)),
    ],
)
def test_faults_are_typed(error, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        make()
    assert not list(tmp_path.iterdir())


def test_samplers_chains_and_planes_of_other_spaces_are_drawn_by_their_coordinates():
    rng = torch.Generator().manual_seed(0)
    data = torch.randn(50, 5, generator=rng) * torch.tensor([3.0, 2, 1, 1, 1])
    plane = Plane.pca(data)
    field = landscape(energies.MLP(5).given(), plane, resolution=10)
    assert isinstance(field, Landscape)
    chains = data.reshape(10, 5, 5)
    ax = plot.contour(field, data=plane.coordinates(data), trajectories=plane.coordinates(chains))
    drawn(ax)
