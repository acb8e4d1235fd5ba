"""Pictures hold what they should: axes, labels, shared color limits, frames; nothing leaks."""

import numpy as np
import torch

from ebmlab import Plane, landscape

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


BOWL = view(bowl, resolution=4)
