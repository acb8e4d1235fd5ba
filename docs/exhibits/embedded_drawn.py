"""Pictures of codes, of reconstruction energies, and of a learned prior."""

import math
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ebmlab import Energy, Plane, landscape, plot
from ebmlab.plot.style import DATA, PALETTE
from exhibits.exhibit import panels

__all__ = ["Codes", "Fields", "Prior", "coded", "fields", "priors", "views"]


class Codes(NamedTuple):
    """Codes (n, 2) of the points of `views` by name, of unit length or not, and codebooks."""

    of: dict[str, Tensor]
    unit: bool = False
    codebooks: list[Tensor] | None = None


class Fields(NamedTuple):
    """Energies of y in the plane by name, and data (n, 2)."""

    energies: dict[str, Energy]
    y: Tensor


class Prior(NamedTuple):
    """An energy of one z, codes (n, 1), the decoder to the plane, and data (n, 2)."""

    energy: Energy
    codes: Tensor
    decoder: nn.Module
    y: Tensor


def _angles(n: int) -> Tensor:
    return torch.arange(n) * (2 * math.pi / n)


def views(n: int) -> tuple[Tensor, Tensor]:
    """Two noisy views (n, 2) of n points on a ring, in the order of their angles."""
    angle, rng = _angles(n), torch.Generator().manual_seed(0)
    points = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    x, y = (points + 0.1 * torch.randn(n, 2, generator=rng) for _ in range(2))
    return x, y


def coded(found: Codes) -> Figure:
    """Codes in the plane, in the color of their angle, a panel for each name."""
    figure, axes = panels(*[1] * len(found.of))
    for k, (ax, (name, each)) in enumerate(zip(axes, found.of.items(), strict=True)):
        h = each.detach()
        if found.unit:
            h = nn.functional.normalize(h, dim=1) * (1 + 0.05 * torch.randn(len(h), 1))
        reach = max(1.1 * float(h.abs().max()), 0.5)
        ax.scatter(*h.T, c=_angles(len(h)), cmap="twilight", s=6, linewidths=0)
        if found.codebooks is not None:
            ax.scatter(*found.codebooks[k].detach().T, marker="x", s=45, color="black")
        spread = float(each.detach().std(0).mean())
        ax.set(title=f"{name}: std {spread:.2g}", aspect="equal", xlabel="$h_1$", ylabel="$h_2$")
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    return figure


def fields(found: Fields) -> Figure:
    """Landscapes of energies on one scale, with data."""
    figure, axes = panels(1, 1)
    for ax, (name, energy) in zip(axes, found.energies.items(), strict=True):
        seen = landscape(energy.given(), Plane.xy(), -3.0, 3.0, 80)
        plot.contour(seen, ax, limits=(0, 1.0), xlabel="$y_1$", ylabel="$y_2$", colorbar=False)
        ax.scatter(*found.y[::8].T, s=4, color=DATA, linewidths=0)
        with torch.no_grad():
            beside = energy(None, 0.6 * found.y).mean()
            ax.set_title(f"{name}: F at 0.6 y is {float(beside):.2f}")
    return figure


def priors(found: Prior) -> Figure:
    """Codes, N(0, 1) and the learned prior; data and draws of both priors, decoded."""
    figure, (left, right) = panels(1.2, 1)
    z = torch.linspace(-4, 4, 801)[:, None]
    with torch.no_grad():
        p = (-found.energy(None, z).double()).softmax(0) / 0.01
        bell = (-0.5 * z[:, 0].square()).exp() / math.sqrt(2 * math.pi)
        left.hist(found.codes.detach()[:, 0], 60, density=True, color=PALETTE[0], alpha=0.35,
                  label="codes")  # fmt: skip
        left.plot(z, p, color=PALETTE[1], label="learned prior")
        left.plot(z, bell, "--", color="black", label="N(0, 1)")
        left.set(xlabel="$z$", ylabel="density", xlim=(-4, 4))
        left.legend()
        rng = torch.Generator().manual_seed(0)
        mine = z[torch.multinomial(p.float(), 300, replacement=True, generator=rng)]
        plain = torch.randn(300, 1, generator=rng)
        right.scatter(*found.y.T, s=3, color="#bbbbbb", linewidths=0, label="data")
        how = {"s": 12, "linewidths": 0.6}
        right.scatter(*found.decoder(mine).T, marker="o", color=PALETTE[1], label="learned", **how)
        right.scatter(*found.decoder(plain).T, marker="x", color="black", label="N(0, 1)", **how)
    right.set(xlabel="$y_1$", ylabel="$y_2$", aspect="equal")
    right.legend(loc="upper right", fontsize=7)
    return figure
