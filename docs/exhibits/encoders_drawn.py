"""Pictures of z that is guessed, stored or quantized, for points of the plane."""

import math
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor, nn

from ebmlab import FreeEnergy, energies, inference
from ebmlab.plot.style import DATA, PALETTE, SAMPLES
from exhibits.angles_drawn import field
from exhibits.exhibit import panels

__all__ = [
    "Before",
    "Cells",
    "Guessed",
    "Joined",
    "cells",
    "guessed",
    "joined",
    "pairwise",
    "quantized",
]


class Guessed(NamedTuple):
    """Free energies by name, and data (n, 2)."""

    frees: dict[str, FreeEnergy]
    y: Tensor


class Cells(NamedTuple):
    """An encoder to logits of codes, what these decode to (K, 2), and data (n, 2)."""

    encoder: nn.Module
    points: Tensor
    y: Tensor


class Before(NamedTuple):
    """Data (n, 2), and codes (K, 2) before and after."""

    y: Tensor
    first: Tensor
    last: Tensor


class Joined(NamedTuple):
    """Data (n, 2), what is decoded for them by name, and a free energy where there is one."""

    y: Tensor
    decoded: dict[str, Tensor]
    free: FreeEnergy | None = None


def guessed(found: Guessed) -> Figure:
    """Angles that were found over the angle of y, their excess energies, and F."""
    figure, (left, middle, right) = panels(1, 1, 1.2)
    any_angle = inference.Enumerate(inference.Circle().atoms(720))
    exact = FreeEnergy(next(iter(found.frees.values())).energy, any_angle)
    lowest = exact.posterior(None, found.y).atoms[0, :, 0].detach()
    left.plot([0, 2 * math.pi], [0, 2 * math.pi], color="black", linewidth=0.6)
    for k, (name, free) in enumerate(found.frees.items()):
        z = free.posterior(None, found.y).atoms[0, :, 0].detach().remainder(2 * math.pi)
        how = {"color": PALETTE[1 + k], "markersize": 3, "label": name}
        left.plot(lowest, z, "o" if k == 0 else "x", **how)
        excess = (free(None, found.y) - exact(None, found.y)).detach().clamp(min=1e-5)
        middle.plot(lowest, excess, "o" if k == 0 else "x", **how)
    ticks = ([0, math.pi, 2 * math.pi], ["0", "π", "2π"])
    for ax in (left, middle):
        ax.set_xticks(*ticks)
        ax.set_xlabel("$z$ of lowest energy")
    left.set_yticks(*ticks)
    left.set_ylabel("$z$ found")
    left.legend()
    middle.set(yscale="log", ylim=(5e-6, 40), ylabel="$E$ above the minimum")
    field(right, list(found.frees.values())[-1])
    return figure


def cells(found: Cells) -> Figure:
    """The cells of the encoder beside those of the energy."""
    figure, axes = panels(1, 1)
    line = torch.linspace(-3, 3, 200)
    at = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
    with torch.no_grad():
        true = torch.cdist(at, found.points).argmin(1)
        taken = found.encoder(at).argmax(1)
        hits = found.encoder(found.y).argmax(1) == torch.cdist(found.y, found.points).argmin(1)
    colors = ListedColormap([*PALETTE[:6], "#999999", PALETTE[7]])
    right = f"encoder: right for {hits.double().mean():.0%} of the data"
    for ax, codes, title in zip(axes, (taken, true), (right, "lowest energy"), strict=True):
        sheet = codes.reshape(200, 200).numpy()
        ax.imshow(sheet, cmap=colors, vmin=-0.5, vmax=7.5, extent=(-3, 3, -3, 3), origin="lower",
                  alpha=0.6)  # fmt: skip
        ax.scatter(*found.y.T, s=3, color="black", linewidths=0)
        ax.scatter(*found.points.T, marker="x", s=45, color="black", linewidths=1.8)
        ax.set(title=title, xlabel="$y_1$", ylabel="$y_2$")
    return figure


def quantized(found: Before) -> Figure:
    """F of the codes before and after."""
    figure, axes = panels(1, 1)
    for ax, codes in zip(axes, (found.first, found.last), strict=True):
        infer = inference.Nearest(codes.clone())
        free = FreeEnergy(energies.Reconstruction(nn.Identity(), takes_x=False), infer)
        reach = 1.2 * float(found.y.abs().max())
        field(ax, free, None, reach, top=0.6 * reach)
        ax.scatter(*found.y.T, s=4, color=DATA, linewidths=0)
        ax.scatter(*codes.T, marker="x", s=50, color=SAMPLES, linewidths=2)
        ax.set_title(f"mean $F$ over the data: {free(None, found.y).mean():.3f}")
    return figure


def joined(found: Joined) -> Figure:
    """Data and what is decoded for them, a panel for each name."""
    figure, axes = panels(1, 1)
    for ax, (name, ends) in zip(axes, found.decoded.items(), strict=True):
        error = (ends - found.y).square().sum(1).mean()
        _lines(ax, found.y, ends)
        ax.set_title(f"{name}: mean $E$ = {float(error.detach()):.3f}")
    return figure


def pairwise(found: Joined) -> Figure:
    """Data joined to what is decoded, and F beside."""
    figure, (left, right) = panels(1, 1)
    ((name, ends),) = found.decoded.items()
    _lines(left, found.y, ends)
    left.set_title(name)
    field(right, found.free, found.y, reach=3.0)
    return figure


def _lines(ax: Axes, y: Tensor, ends: Tensor) -> None:
    pairs: Any = list(torch.stack([y, ends.detach()], 1).numpy())
    ax.add_collection(LineCollection(pairs, colors="#888888", linewidths=0.8))
    ax.scatter(*ends.detach().T, s=10, color=PALETTE[0], zorder=2)
    ax.scatter(*y.T, s=22, color=DATA, edgecolors="black", linewidths=0.5, zorder=3)
    ax.set(xlabel="$y_1$", ylabel="$y_2$", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
