"""Colors, each against a plain computation of one pixel or one image at a time."""

import colorsys

import pytest
import torch
from problems import F64, generator, has_mean
from views_support import images

from ebmlab.data import views
from ebmlab.data.views import ColorJitter, hsv_to_rgb, rgb_to_hsv


def _palette():
    """Corners, edges, greys, ties of two channels, and the inside of the cube of colors."""
    levels = torch.linspace(0, 1, 6, dtype=F64)
    return torch.cartesian_prod(levels, levels, levels)


def test_hue_saturation_and_value_are_those_of_the_standard_library():
    colors = _palette()
    expected = torch.tensor([colorsys.rgb_to_hsv(*c) for c in colors.tolist()], dtype=F64)
    torch.testing.assert_close(rgb_to_hsv(colors), expected, rtol=0, atol=1e-14)
    back = torch.tensor([colorsys.hsv_to_rgb(*c) for c in colors.tolist()], dtype=F64)
    torch.testing.assert_close(hsv_to_rgb(colors), back, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (F64, 1e-14)])
def test_colors_come_back_from_hue_saturation_and_value(dtype, tolerance):
    for t in (_palette().to(dtype), images(16).to(dtype)):
        torch.testing.assert_close(hsv_to_rgb(rgb_to_hsv(t)), t, rtol=0, atol=tolerance)


def test_grey_and_black_have_finite_gradients():
    t = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [1.0, 1.0, 1.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(rgb_to_hsv(t).sum(), t)
    assert slope.isfinite().all()
    assert slope.abs().max() < 10


def _clamped(value):
    return min(max(value, 0.0), 1.0)


def _luminance(r, g, b):
    return 0.299 * r + 0.587 * g + 0.114 * b


def _jittered(image, b, c, s, turn):
    """One image as a list of pixels, by the formulas of the docstring."""
    pixels = [[_clamped(b * v) for v in p] for p in image.flatten(1).T.tolist()]
    mean = sum(_luminance(*p) for p in pixels) / len(pixels)
    pixels = [[_clamped(c * v + (1 - c) * mean) for v in p] for p in pixels]
    pixels = [[_clamped(s * v + (1 - s) * _luminance(*p)) for v in p] for p in pixels]
    turned = []
    for p in pixels:
        h, saturation, value = colorsys.rgb_to_hsv(*p)
        turned.append(colorsys.hsv_to_rgb((h + turn) % 1.0, saturation, value))
    return torch.tensor(turned, dtype=F64).T.reshape(image.shape)


def test_color_jitter_is_its_four_formulas():
    t, view = images(8), ColorJitter(0.8, 0.8, 0.8, 0.5)
    draws = view.draw(t, generator())
    out = view.apply(t, draws)
    for i in range(8):
        b, c, s, turn = (float(part[i]) for part in draws[:4])
        torch.testing.assert_close(out[i], _jittered(t[i], b, c, s, turn), rtol=0, atol=1e-9)
    unturned = _jittered(t[0], *(float(part[0]) for part in draws[:3]), 0.0)
    assert (out[0] - unturned).abs().max() > 0.01


def test_color_jitter_of_grey_images_changes_brightness_and_contrast_only():
    t = images(8, c=1)
    draws = ColorJitter(0.8, 0.8, 0.8, 0.5).draw(t, generator())
    out = ColorJitter(0.8, 0.8, 0.8, 0.5).apply(t, draws)
    for i in range(8):
        x = (t[i] * float(draws.brightness[i])).clamp(0, 1)
        c = float(draws.contrast[i])
        expected = (c * x + (1 - c) * x.mean()).clamp(0, 1)
        torch.testing.assert_close(out[i], expected, rtol=0, atol=1e-12)


def test_color_jitter_leaves_a_share_alone_and_draws_within_its_ranges():
    t = torch.zeros(1, 3, 1, 1).expand(20_000, 3, 1, 1)
    draws = ColorJitter(0.4, 2.0, 0.1, 0.2, probability=0.3).draw(t, generator())
    assert has_mean(draws.applied.double(), 0.3, (0.3 * 0.7) ** 0.5)
    assert not has_mean(draws.applied.double(), 0.35, (0.3 * 0.7) ** 0.5)
    kept = ~draws.applied
    low_high = [(0.6, 1.4), (0.0, 3.0), (0.9, 1.1), (-0.2, 0.2)]
    for part, (low, high), idle in zip(draws[:4], low_high, (1, 1, 1, 0), strict=True):
        assert (part[kept] == idle).all()
        drawn = part[draws.applied]
        assert low <= drawn.min() < low + 0.01 * (high - low)
        assert high >= drawn.max() > high - 0.01 * (high - low)


def test_grey_brightness_solarize_and_noise_are_their_formulas():
    t = images(16)
    (take,) = views.Grey(0.5).draw(t, generator())
    out = views.Grey(0.5).apply(t, (take,))
    (bright,) = views.Brightness(0.9).draw(t, generator())
    lit = views.Brightness(0.9).apply(t, (bright,))
    (invert,) = views.Solarize(0.5, 0.7).draw(t, generator())
    solarized = views.Solarize(0.5, 0.7).apply(t, (invert,))
    (push,) = views.Noise(0.3).draw(t, generator())
    noisy = views.Noise(0.3).apply(t, (push,))
    assert 0 < take.sum() < 16
    assert 0 < invert.sum() < 16
    for i, image in enumerate(t):
        grey = _luminance(*image).expand(3, -1, -1)
        torch.testing.assert_close(out[i], grey if take[i] else image, rtol=0, atol=1e-14)
        expected = (image * bright[i].double()).clamp(0, 1)
        torch.testing.assert_close(lit[i], expected, rtol=0, atol=1e-14)
        flat = [1 - v if invert[i] and v >= 0.7 else v for v in image.flatten().tolist()]
        assert solarized[i].flatten().tolist() == flat
        expected = (image + 0.3 * push[i].double()).clamp(0, 1)
        torch.testing.assert_close(noisy[i], expected, rtol=0, atol=1e-14)
