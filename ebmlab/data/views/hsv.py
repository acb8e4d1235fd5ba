"""Hue, saturation and value of red, green and blue."""

import torch
from torch import Tensor

from ebmlab._rows import rows

__all__ = ["hsv_to_rgb", "rgb_to_hsv", "turn_hue"]


def rgb_to_hsv(images: Tensor) -> Tensor:
    """Hue, saturation, value, each in [0, 1], of images (n, 3, *pixels) in [0, 1].

    v = max, s = (max - min) / max, and h runs once around the colors; grey has hue 0, black
    saturation 0 as well.

    Example:
        >>> rgb_to_hsv(torch.tensor([[0.0, 1.0, 0.0]])).tolist()
        [[0.3333333432674408, 1.0, 1.0]]

    Source: Smith 1978, "Color gamut transform pairs".
    """
    hue, chroma, value = _hexagon(images)
    saturation = chroma / torch.where(value > 0, value, 1.0)
    return torch.stack([hue.remainder(6) / 6, saturation, value], dim=1)


def hsv_to_rgb(images: Tensor) -> Tensor:
    """Red, green and blue of hue, saturation and value (n, 3, *pixels): back from `rgb_to_hsv`."""
    hue, saturation, value = images.unbind(1)
    return _colors(6 * hue, saturation * value, value)


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Images (n, 3, *pixels) whose hue is turned by turn (n,), 1 being once around."""
    hue, chroma, value = _hexagon(images)
    return _colors(hue + rows(6 * turn, hue), chroma, value)


def _hexagon(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in [-1, 5], chroma = max - min, and value = max."""
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    # Gray has no hue: its differences are 0, and 0 / 1 keeps the gradient finite.
    inverse = 1 / (chroma + (1 - chroma.sign()))
    # A sign is 0 where a channel is the largest: weights of 0 and 1 choose, and are faster on the
    # CPU than masks.
    past_red = torch.lerp(
        2 + (blue - red) * inverse, 4 + (red - green) * inverse, (value - green).sign()
    )
    hue = torch.lerp((green - blue) * inverse, past_red, (value - red).sign())
    return hue, chroma, value


def _colors(hue: Tensor, chroma: Tensor, value: Tensor) -> Tensor:
    """Red, green and blue of a hue in sixths of the circle, from wherever it is counted."""
    hue = hue - 6 * (hue / 6).floor()
    lacking = (
        (2 - (hue - 3).abs()).clamp(0, 1),
        ((hue - 2).abs() - 1).clamp(0, 1),
        ((hue - 4).abs() - 1).clamp(0, 1),
    )
    return torch.stack([torch.addcmul(value, chroma, part, value=-1) for part in lacking], dim=1)
