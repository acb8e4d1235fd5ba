"""Strips, films, gradient maps, paths, thumbnails and neighbors show what they are given."""

import numpy as np
import pytest
import torch
from PIL import Image
from plot_support import BOWL, drawn
from problems import generator

from ebmlab import plot
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics import memorization
from ebmlab.slices import path


def pictures(*shape):
    return torch.rand(*shape, generator=generator())


def test_a_strip_has_a_row_for_each_chain_and_its_energies_below():
    samples, energies = pictures(3, 2, 1, 4, 6), torch.arange(6.0).reshape(3, 2)
    ax = drawn(plot.strip(samples, energies, headings=["0", "5", "10"], sides=["a", "b"]))
    sheet = ax.images[0].get_array()
    assert sheet.shape == (2 * 6 + 1, 3 * 7 + 1, 3)
    np.testing.assert_allclose(sheet[7:11, 15:21, 0], samples[2, 1, 0], rtol=1e-6)
    assert [text.get_text() for text in ax.texts[-6:]] == ["0", "2", "4", "1", "3", "5"]
    with pytest.raises(ShapeError, match=r"\(3, 2\)"):
        plot.strip(samples, energies.T)
    with pytest.raises(ShapeError, match="kept, chains, c, h, w"):
        plot.strip(samples[0])


def test_a_film_has_a_frame_for_each_step_and_rests_at_its_end(tmp_path):
    samples = torch.linspace(0, 1, 3).reshape(3, 1, 1, 1, 1).expand(3, 5, 1, 6, 6)
    made = plot.animate_images(samples, tmp_path / "a.gif", columns=3, fps=4)
    with Image.open(made) as film:
        assert film.n_frames >= 3
        lights = []
        for k in range(3):
            film.seek(k)
            lights.append(np.asarray(film.convert("L"), dtype=float)[60:-20].mean())
    assert lights == sorted(lights)
    with pytest.raises(ConfigurationError, match=r"\.gif"):
        plot.animate_images(samples, tmp_path / "a.mp4")
    with pytest.raises(ConfigurationError, match="2 for 3 frames"):
        plot.animate_images(samples, tmp_path / "a.gif", titles=["a", "b"])


def test_slopes_stand_below_their_images_on_a_symmetric_scale():
    y, slopes = pictures(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    slopes[0, 0, 0, 0], slopes[2, 0, 3, 3] = 2.0, -2.0
    ax = drawn(plot.gradient_map(y, slopes, columns=2, limit=2.0, title="slopes"))
    sheet = ax.images[0].get_array()
    assert sheet.shape == (4 * 5 + 1, 2 * 5 + 1, 3)
    np.testing.assert_allclose(sheet[1:5, 1:5, 0], y[0, 0], rtol=1e-6)
    np.testing.assert_allclose(sheet[11:15, 1:5, 0], y[2, 0], rtol=1e-6)
    brighter, none, darker = sheet[6, 1], sheet[6, 2], sheet[19, 4]
    assert brighter[0] > brighter[2]
    assert darker[2] > darker[0]
    assert none.tolist() == [1, 1, 1]
    assert ax.figure.axes[1].get_ylim() == (-2.0, 2.0)
    with pytest.raises(ShapeError, match="slopes has shape"):
        plot.gradient_map(y, slopes[:1])
    with pytest.raises(NonFiniteError, match="slopes"):
        plot.gradient_map(y, slopes / 0)


def test_thumbnails_lie_at_their_places():
    ax = plot.thumbnails(
        plot.contour(BOWL), pictures(2, 3, 8, 8), torch.tensor([[0, 1.0], [2, 0]])
    )
    assert [box.xy for box in drawn(ax).artists] == [(0, 1), (2, 0)]
    with pytest.raises(ShapeError, match="2 for 1 images"):
        plot.thumbnails(ax, pictures(1, 1, 8, 8), torch.zeros(2, 2))


def test_paths_have_a_curve_and_a_row_of_images_each():
    def u(y):
        return y.flatten(1).sum(1)

    one, two = path(u, pictures(3, 1, 8, 8)), path(u, pictures(2, 4))
    figure = plot.path({"images": one, "points": two}, shown=5)
    figure.draw_without_rendering()
    curves, row = figure.axes
    np.testing.assert_allclose(curves.lines[0].get_ydata(), one.energy, rtol=1e-6)
    assert [box.xy[0] for box in row.artists] == [0, 0.5, 1, 1.5, 2]
    assert row.get_xlabel() == "stops passed"
    with pytest.raises(ConfigurationError, match="paths is empty"):
        plot.path({})


def test_the_nearest_samples_come_first_with_their_distances():
    samples, train, held = pictures(3, 10, 1, 6, 6)
    samples[7] = train[3]
    figure = plot.nearest(memorization(samples, train, held), samples, train, shown=4)
    figure.draw_without_rendering()
    sheet = figure.axes[0].images[0].get_array()
    for top in (1, 9):  # the copy, and below it what it is a copy of
        np.testing.assert_allclose(sheet[top : top + 6, 1:7, 0], train[3, 0], rtol=1e-6)
    assert "copies: 10.0% of samples" in figure.axes[1].get_title()
    with pytest.raises(ShapeError, match="samples are 9"):
        plot.nearest(memorization(samples, train, held), samples[:9], train)
    with pytest.raises(ConfigurationError, match="memorization"):
        plot.nearest(samples, samples, train)
