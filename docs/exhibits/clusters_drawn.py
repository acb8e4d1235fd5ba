"""Pictures of assignments to clusters."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels

__all__ = ["Directions", "Shares", "directions", "shares"]


class Shares(NamedTuple):
    """Assignments (n, K) by name, two of them."""

    of: dict[str, Tensor]


class Directions(NamedTuple):
    """Codes (n, 2), their one-hot z (n, K) and centers (k, 2), by the panel's title."""

    of: dict[str, tuple[Tensor, Tensor, Tensor]]


def shares(found: Shares) -> Figure:
    """Two matrices of assignments, and the total share of each cluster in both."""
    figure, (left, middle, right) = panels(1, 1, 1.3)
    for k, (ax, (name, each)) in enumerate(zip((left, middle), found.of.items(), strict=True)):
        z = each.detach()
        ax.imshow(z.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.set_xticks(range(z.shape[1]))
        ax.set(xlabel="cluster", ylabel="code", title=name)
        place = np.arange(z.shape[1]) + 0.38 * (k - 0.5)
        right.bar(place, z.mean(0).numpy(), 0.36, color=PALETTE[k], label=name)
    right.axhline(1 / z.shape[1], color="black", linewidth=0.8, linestyle="--")
    right.set_xticks(range(z.shape[1]))
    right.set(xlabel="cluster", ylabel="share of all codes", ylim=(0, 1))
    right.legend()
    return figure


def directions(found: Directions) -> Figure:
    """Codes on the circle in the color of their z, with the centers."""
    figure, axes = panels(1, 1)
    for ax, (title, (codes, z, centers)) in zip(axes, found.of.items(), strict=True):
        number = z.argmax(1)
        jitter = 1 + 0.05 * torch.randn(len(codes), 1)
        for k in range(z.shape[1]):
            mine = (codes * jitter)[number == k]
            ax.scatter(*mine.T, s=10, color=PALETTE[k], marker="os^D"[k], linewidths=0)
        for x, y in centers.detach().tolist():
            ax.annotate("", (0.8 * x, 0.8 * y), (0, 0), arrowprops={"arrowstyle": "->", "lw": 1.4})
        lim = (-1.3, 1.3)
        ax.set(title=title, aspect="equal", xlim=lim, ylim=lim, xlabel="$h_1$", ylabel="$h_2$")
    return figure
