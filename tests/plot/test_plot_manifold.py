"""Manifolds in the color of z: where lines end, and that colors are cyclic."""

import math

import numpy as np
import pytest
import torch

from ebmlab import plot
from ebmlab.errors import ShapeError

Z = torch.linspace(0, 2 * math.pi, 101, dtype=torch.float64)
CIRCLE = torch.stack([Z.cos(), Z.sin()], 1)


def test_lines_end_where_a_line_from_the_center_meets_the_circle():
    data = 3 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0)).double()
    ax = plot.manifold(CIRCLE, Z, data=data)
    ends = np.stack([segment[1] for segment in ax.collections[0].get_segments()])
    right = data / data.norm(dim=1, keepdim=True)
    away = (data.norm(dim=1) - 1).abs()
    # A polygon of 100 sides is within 1 - cos(π / 100) = 5e-4 of its circle, a corner within
    # half a side, π / 100.
    np.testing.assert_allclose(np.linalg.norm(ends - data.numpy(), axis=1), away, atol=6e-4)
    np.testing.assert_allclose(ends, right, atol=0.032)
    starts = np.stack([segment[0] for segment in ax.collections[0].get_segments()])
    np.testing.assert_allclose(starts, data)


def test_the_nearest_point_lies_between_points_of_a_coarse_curve():
    corner = torch.tensor([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]])
    ax = plot.manifold(corner, torch.arange(3.0), data=torch.tensor([[1.0, 2.0], [9.0, -1.0]]))
    ends = [segment[1].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == [[1.0, 0.0], [4.0, 0.0]]


def test_colors_are_the_same_after_a_turn_and_differ_after_half():
    curve = plot.manifold(CIRCLE, Z).collections[0].get_colors()
    turned = plot.manifold(CIRCLE, Z + 2 * math.pi).collections[0].get_colors()
    half = plot.manifold(CIRCLE, Z + math.pi).collections[0].get_colors()
    # Rounding may move a color by one of 510 steps.
    np.testing.assert_allclose(curve, turned, atol=0.02)
    assert np.abs(curve - half).max() > 0.3
    np.testing.assert_allclose(curve[0], curve[-1], atol=0.02)


def test_a_sheet_has_the_colors_of_z_along_its_columns():
    rows = torch.linspace(0, 1, 4, dtype=torch.float64)[:, None, None].expand(4, 101, 1)
    sheet = torch.cat([rows, CIRCLE.expand(4, 101, 2)], -1)
    faces = plot.space(sheet=sheet, z=Z).collections[0]._facecolor3d.reshape(3, 100, 4)
    curve = plot.manifold(CIRCLE, Z).collections[0].get_colors()
    np.testing.assert_allclose(faces[0, :, :3], curve[:, :3], atol=0.05)
    np.testing.assert_allclose(faces[0], faces[2])


def test_words_stand_at_quarter_turns_inside_the_curve():
    ax = plot.manifold(CIRCLE, Z, words=True)
    assert [text.get_text() for text in ax.texts] == ["z = 0", "π/2", "π", "3π/2"]
    places = [text.get_position() for text in ax.texts]
    expected = 0.68 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    np.testing.assert_allclose(places, expected, atol=0.01)


def test_lines_in_space_go_from_each_point_to_its_end():
    points, ends = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(0))
    _, lines = plot.space(points, ends=ends).collections
    np.testing.assert_allclose(lines._segments3d, torch.stack([points, ends], 1), rtol=1e-6)
    with pytest.raises(ShapeError, match="4 for 5 points"):
        plot.space(points, ends=ends[:4])


def test_a_bar_of_z_is_drawn_when_asked():
    assert len(plot.manifold(CIRCLE, Z).figure.axes) == 2
    assert len(plot.manifold(CIRCLE, Z, colorbar=False).figure.axes) == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"expected \(101,\)"):
        plot.manifold(CIRCLE, Z[:-1])
    with pytest.raises(ShapeError, match=r"\(n, 2\)"):
        plot.manifold(torch.zeros(5, 3), Z[:5])
    with pytest.raises(ShapeError, match="n >= 2"):
        plot.manifold(CIRCLE[:1], Z[:1])
    with pytest.raises(ShapeError, match="data has shape"):
        plot.manifold(CIRCLE, Z, data=torch.zeros(5))
    with pytest.raises(ShapeError, match=r"expected \(5,\)"):
        plot.space(sheet=torch.rand(4, 5, 3), z=torch.zeros(4))
