"""Pictures of labels and of descents on the line."""

from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure

from ebmlab import Energy
from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels
from exhibits.lines_drawn import bumps

__all__ = ["Answered", "Labeled", "answered", "labeled"]

_GRID = torch.linspace(-4, 4, 801)[:, None]
_BLUE, _ORANGE, _GREEN = PALETTE[:3]


class Labeled(NamedTuple):
    """An energy of labels x in {0, 1} and one number y."""

    energy: Energy


class Answered(NamedTuple):
    """Energies of one number by name, and the solver that descends them."""

    energies: dict[str, Energy]
    solver: Any


def labeled(found: Labeled) -> Figure:
    """Energies of both labels and of their sum; what they say of labels, and of y."""
    figure, (left, middle, right) = panels(1, 1, 1)
    y = _GRID[:, 0]
    with torch.no_grad():
        both = [found.energy(torch.full((len(y),), k), _GRID) for k in (0, 1)]
        summed = found.energy(None, _GRID)
    floor = summed.min()
    for k, color in ((0, _BLUE), (1, _ORANGE)):
        left.plot(y, both[k] - floor, color=color, label=f"$x = {k}$")
    left.plot(y, summed - floor, ":", color="black", label="summed")
    left.set(xlabel="$y$", ylabel="$E$ above its minimum", ylim=(-1, 20), xlim=(-4, 4))
    left.legend(loc="upper center", ncols=2, columnspacing=1)
    middle.plot(y, (summed - both[1]).exp(), color=_ORANGE, label="model")
    middle.plot(y, (y > 0).float(), "--", color="black", label="data")
    middle.set(xlabel="$y$", ylabel="$p(x = 1 | y)$", xlim=(-4, 4))
    middle.legend(loc="upper left")
    p = (-summed.double()).softmax(0) / float(y.diff()[0])
    right.plot(y, p, color=_BLUE, label="model")
    right.plot(y, bumps.log_prob(_GRID).exp(), "--", color="black", label="data")
    right.set(xlabel="$y$", ylabel="density of $y$", xlim=(-4, 4), ylim=(0, 1))
    right.legend(loc="upper right")
    return figure


def answered(found: Answered) -> Figure:
    """Energies, and where descent on the trained one ends."""
    figure, (left, right) = panels(1, 1)
    y = _GRID[:, 0]
    for (name, energy), color in zip(found.energies.items(), ("#999999", _BLUE), strict=True):
        e = energy(None, _GRID).detach()
        left.plot(y, e - e.min(), color=color, label=name)
    start = torch.randn(1000, 1, generator=torch.Generator().manual_seed(3))
    u, end = found.energies["trained"].given(), start
    for _ in range(4):
        end = found.solver.minimize(u, end).argmin.detach()
    left.set(xlabel="$y$", ylabel="$E$ above its minimum", xlim=(-4, 4), ylim=(0, 2))
    left.legend()
    right.hist(end[:, 0], torch.linspace(-4, 4, 61), density=True, color=_BLUE, alpha=0.45,
               label="ends")  # fmt: skip
    right.hist(start[:, 0], torch.linspace(-4, 4, 61), density=True, histtype="step",
               color="#999999", label="starts")  # fmt: skip
    right.plot(y, bumps.log_prob(_GRID).exp(), "--", color="black", label="data")
    right.set(xlabel="$y$", ylabel="density", xlim=(-4, 4))
    right.legend()
    return figure
