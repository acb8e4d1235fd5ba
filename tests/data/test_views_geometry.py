"""Flips, turns, rotations and blur, each against NumPy or SciPy on one image at a time."""

import math

import numpy as np
import pytest
import torch
from problems import generator, randn
from scipy import ndimage
from torch.utils._python_dispatch import TorchDispatchMode
from views_support import images

from ebmlab.data import views


def _same(out, expected, tolerance=1e-12):
    torch.testing.assert_close(out, torch.tensor(expected), rtol=0, atol=tolerance)


def test_a_flip_is_the_mirror_image():
    t = images(12)
    (take,) = views.Flip().draw(t, generator())
    out = views.Flip().apply(t, (take,))
    assert 0 < take.sum() < 12
    for i in range(12):
        assert torch.equal(out[i], t[i].flip(2) if take[i] else t[i])


def test_quarter_turns_are_counted_counterclockwise():
    t = images(32, w=12)
    view = views.QuarterTurn()
    out, turns = view.labelled(t, generator(1))
    assert torch.equal(out, view(t, generator(1)))
    assert set(turns.tolist()) == {0, 1, 2, 3}
    for i in range(32):
        _same(out[i], np.rot90(t[i].numpy(), int(turns[i]), axes=(1, 2)).copy(), 0)


@pytest.mark.parametrize("shape", [(12, 14), (9, 9)])
def test_a_rotation_is_bilinear_about_the_center(shape):
    t, view = images(4, 2, *shape), views.Rotate(90.0)
    draws = view.draw(t, generator())
    out = view.apply(t, draws)
    middle = (np.array(shape) - 1) / 2
    for i in range(4):
        angle = math.radians(float(draws[0][i]))
        # From where in (row, column) each pixel comes; rows run downwards.
        matrix = np.array(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        )
        for c in range(2):
            expected = ndimage.affine_transform(
                t[i, c].numpy(), matrix, middle - matrix @ middle, order=1, mode="grid-constant"
            )
            _same(out[i, c], expected, 1e-6)


def test_a_small_positive_angle_turns_counterclockwise_as_a_quarter_turn_does():
    t = images(1, w=12)
    out = views.Rotate(90.0).apply(t, (torch.tensor([90.0]),))
    torch.testing.assert_close(out, t.rot90(1, (2, 3)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 9])
def test_blur_is_a_mirrored_correlation_with_a_gaussian(size):
    t, view = images(6, 2), views.Blur(size, (0.2, 2.0), probability=0.7)
    (sigma,) = view.draw(t, generator(2))
    out = view.apply(t, (sigma,))
    assert (sigma == 0).any()
    assert (sigma > 0).any()
    offset = np.arange(size) - size // 2
    for i in range(6):
        kernel = np.exp(-0.5 * (offset / max(float(sigma[i]), 1e-9)) ** 2)
        expected = t[i].numpy()
        for axis in (1, 2):
            expected = ndimage.correlate1d(expected, kernel / kernel.sum(), axis, mode="mirror")
        _same(out[i], expected)


class _Products(TorchDispatchMode):
    """How many images each batched product has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket is torch.ops.aten.bmm:
            self.rows.append(len(args[0]))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_only_images_that_are_drawn_are_blurred(probability):
    t, view = images(40, 1).requires_grad_(), views.Blur(5, probability=probability)
    draws = view.draw(t, generator(2))
    drawn = draws[0] > 0
    with _Products() as products:
        out = view.apply(t, draws)
    assert set(products.rows) == {int(drawn.sum())}
    # All of them together, where the others have a kernel that does nothing.
    _same(out.detach(), view._blurred(t, draws[0].to(t)).detach().numpy())
    assert torch.equal(out[~drawn], t[~drawn])
    (slope,) = torch.autograd.grad(out.sum(), t)
    assert torch.equal(slope[~drawn], torch.ones_like(slope[~drawn]))


def test_points_are_rotated_in_their_first_two_coordinates_and_blurred_in_all():
    t = randn(6, 4)
    (angle,) = views.PointRotation().draw(t, generator())
    out = views.PointRotation().apply(t, (angle,))
    for i in range(6):
        turn = np.exp(1j * math.radians(float(angle[i])))
        z = complex(*t[i, :2].tolist()) * turn
        _same(out[i], [z.real, z.imag, *t[i, 2:].tolist()], 1e-6)
    (push,) = views.PointNoise(0.3).draw(t, generator())
    torch.testing.assert_close(
        views.PointNoise(0.3).apply(t, (push,)), t + 0.3 * push.double(), rtol=0, atol=1e-14
    )
