import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from plot_support import LABEL, bowl, drawn, filled, spiked, view, walk

from ebmlab import plot
from ebmlab.plot.scale import heights, scale


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


def test_each_panel_has_its_own_trajectories():
    figure = plot.landscapes([view(bowl)] * 2, ["still", "walked"], trajectories=[None, walk()])
    still, walked, _ = (drawn(ax) for ax in figure.axes)
    lines = [
        [c for c in ax.collections if isinstance(c, LineCollection)] for ax in (still, walked)
    ]
    assert [len(found) for found in lines] == [0, 2]
    ends = walked.collections[-1].get_offsets()
    assert torch.as_tensor(ends).float().allclose(walk()[-1])


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
