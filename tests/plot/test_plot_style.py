import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from plot_support import BOWL, bowl, drawn, lightness, view, walk

from ebmlab import plot
from ebmlab.plot.style import ENERGY, TEMPERATURE


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


def test_text_is_legible_in_print():
    ax = drawn(plot.contour(view(bowl), title="bowl"))
    texts = [ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.figure.axes[1].get_yticklabels()]
    assert min(text.get_fontsize() for text in texts) >= 8


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
