"""Pictures of discrete chains against sums over all states."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Energy, metrics
from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels

__all__ = ["Spins", "magnetized", "written"]

_BLUE = PALETTE[0]


class Spins(NamedTuple):
    """An energy of spins, and chains (steps, chains, h, w) of it with what each cost."""

    energy: Energy
    samples: Tensor
    gradients: float


def magnetized(spins: Spins) -> Figure:
    """Magnetizations over the steps, some lattices, and the law of the magnetization."""
    figure, (left, middle, right) = panels(1.25, 0.8, 1.2)
    mean = (2 * spins.samples - 1).mean((-2, -1))
    for k in range(3):
        left.plot(mean[:, k].numpy(), linewidth=0.8, color=PALETTE[k])
    left.set(xlabel="step", ylabel="magnetization", ylim=(-1.08, 1.08))
    lattices = np.pad(spins.samples[-1, :9].numpy(), ((0, 0), (0, 1), (0, 1)), constant_values=0.5)
    sheet = lattices.reshape(3, 3, 5, 5).transpose(0, 2, 1, 3).reshape(15, 15)[:-1, :-1]
    middle.imshow(sheet, cmap=ListedColormap(["#1f356b", "white", "#E69F00"]), vmin=0, vmax=1)
    middle.set_axis_off()
    states = _states(16, 2).reshape(-1, 4, 4).float()
    with torch.no_grad():
        p = (-spins.energy(None, states).double()).softmax(0)
    exact = _law((2 * states - 1).sum((1, 2)).long() // 2 + 8, 17, p)
    late = mean[len(mean) // 2 :].flatten()
    found = _law((8 * late).round().long() + 8, 17)
    _compare(right, torch.linspace(-1, 1, 17), found, exact, 0.1)
    ess = float(metrics.ess(mean[..., None])[0]) / mean.shape[1] / spins.gradients * 100
    right.set_xlabel(f"magnetization\nESS in 100 gradients: {ess:.2f}")
    return figure


def written(samples: Tensor) -> Figure:
    """One text over the sweeps, and the law of the number of changes along texts."""
    figure, (left, right) = panels(1.5, 1)
    left.imshow(samples[:, 0].T.numpy(), cmap=ListedColormap(PALETTE[:3]), aspect="auto")
    left.set(xlabel="sweep", ylabel="site")
    texts = _states(8, 3)
    changes = (texts.diff(dim=1) != 0).sum(1)
    exact = _law(changes, 8, (-1.5 * changes.double()).softmax(0))
    found = _law((samples[20:].diff(dim=2) != 0).sum(2).flatten(), 8)
    _compare(right, torch.arange(8), found, exact, 0.7)
    right.set_xlabel("changes along the text")
    return figure


def _compare(ax: Axes, at: Tensor, found: Tensor, exact: Tensor, width: float) -> None:
    ax.bar(at.numpy(), found.numpy(), width, color=_BLUE, alpha=0.45, label="chains")
    ax.plot(at.numpy(), exact.numpy(), "_k", markersize=7, markeredgewidth=1.6, label="exact")
    ax.set(ylabel="probability", ylim=(0, 1.3 * float(exact.max())))
    ax.legend(loc="upper center", ncols=2)


def _law(values: Tensor, count: int, p: Tensor | None = None) -> Tensor:
    weights = torch.full(values.shape, 1 / len(values), dtype=torch.float64) if p is None else p
    return torch.bincount(values, weights, count)


def _states(sites: int, tokens: int) -> Tensor:
    """All (tokens^sites, sites) states."""
    return torch.cartesian_prod(*[torch.arange(tokens)] * sites)
