"""Pictures in three dimensions, and films of landscapes."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from ebmlab import Plane, energies, landscape, plot
from ebmlab.errors import ConfigurationError, ShapeError


def rings(*radii):
    return [landscape(energies.Ring(r).given(), Plane.xy(), resolution=30) for r in radii]


def test_space_shows_points_and_a_sheet_where_they_are():
    points = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    sheet = torch.stack(torch.meshgrid(torch.rand(4), torch.rand(5), indexing="ij"), -1)
    sheet = torch.cat([sheet, sheet[..., :1]], -1)
    ax = plot.space(points, sheet, names=("x", "y", "z"), title="both")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()) == ("x", "y", "z")
    surface, lines, dots = ax.collections
    np.testing.assert_allclose(np.stack(dots._offsets3d, 1), points, rtol=1e-6)
    assert len(lines._segments3d) == 4 + 5
    assert surface.get_alpha() < 1
    assert len(plot.space(points).collections) == 1


def test_space_refuses_what_has_not_three_coordinates():
    with pytest.raises(ShapeError, match=r"\(n, 3\)"):
        plot.space(torch.zeros(5, 2))
    with pytest.raises(ShapeError, match=r"\(rows, columns, 3\)"):
        plot.space(sheet=torch.zeros(5, 3))
    with pytest.raises(ConfigurationError, match="three-dimensional"):
        plot.space(torch.zeros(5, 3), ax=Figure().add_subplot())


def test_sweep_films_each_landscape_there_and_back(tmp_path):
    data = [torch.zeros(1, 2), None, None]
    path = plot.sweep(rings(0.5, 1.0, 2.0), list("abc"), tmp_path / "film.gif", data=data, fps=5)
    with Image.open(path) as film:
        frames = []
        for k in range(film.n_frames):
            film.seek(k)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
        assert film.n_frames == 4
        assert film.info["duration"] == 200
    np.testing.assert_array_equal(frames[1], frames[3])
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert (abs(frames[a] - frames[b]) > 60).any(-1).mean() > 0.02


def test_a_sweep_that_does_not_go_back_ends_with_the_last_for_a_second(tmp_path):
    path = plot.sweep(rings(0.5, 1.0, 2.0), list("abc"), tmp_path / "film.gif", fps=5, back=False)
    with Image.open(path) as film:
        shown = []
        for k in range(film.n_frames):
            film.seek(k)
            shown.append(film.info["duration"])
    # Equal frames may be one that stays longer.
    assert shown[:2] == [200, 200]
    assert sum(shown[2:]) == 1200


def test_sweep_refuses_what_does_not_fit(tmp_path):
    fields = rings(1.0)
    with pytest.raises(ConfigurationError, match=r"ends in \.gif"):
        plot.sweep(fields, ["a"], tmp_path / "film.mp4")
    with pytest.raises(ConfigurationError, match="one of each per frame"):
        plot.sweep(fields, ["a", "b"], tmp_path / "film.gif")
    with pytest.raises(ConfigurationError, match="one of each per frame"):
        plot.sweep([], [], tmp_path / "film.gif")
    with pytest.raises(ConfigurationError, match="fps"):
        plot.sweep(fields, ["a"], tmp_path / "film.gif", fps=0.0)


def test_landscapes_show_arrows_where_asked():
    without = plot.landscapes(rings(1.0), ["ring"])
    with_arrows = plot.landscapes(rings(1.0), ["ring"], arrows=True)
    more = len(with_arrows.axes[0].collections) - len(without.axes[0].collections)
    assert more == 1
