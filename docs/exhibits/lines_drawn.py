"""Pictures of energies of one number against the density of their data."""

from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Energy, energies
from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels

__all__ = ["Line", "bumps", "lined"]

bumps = energies.GaussianMixture(
    torch.tensor([[-1.5], [1.5]]), scale=0.5, weights=torch.tensor([0.7, 0.3])
)
_GRID = torch.linspace(-4, 4, 801)[:, None]
_COLORS = ("#999999", PALETTE[0], PALETTE[2])


class Line(NamedTuple):
    """Energies of one number by name; of one x each where they take x.

    `constant` says that the energy's own integral is to be written, `raw` that energies are drawn
    as they are, and `draws` (n, 1) are those of a generator.
    """

    energies: dict[str, Energy]
    constant: bool = False
    raw: bool = False
    draws: Tensor | None = None
    x: Tensor | None = None


def lined(line: Line) -> Figure:
    """-log p of each model and of the data, and their densities with the NLL of new data."""
    figure, (left, right) = panels(1, 1)
    y = _GRID[:, 0]
    new = bumps.sample(20_000, torch.Generator().manual_seed(9))
    exact = -bumps.log_prob(_GRID).detach()
    colors = _COLORS[-2:] if "start" not in line.energies else _COLORS[:2]
    for (name, energy), color in zip(line.energies.items(), colors, strict=True):
        with torch.no_grad():
            e, at = energy(line.x, _GRID).double(), energy(line.x, new).double()
        log_z = torch.logsumexp(-e, 0) + float(y.diff()[0].log())
        left.plot(y, e if line.raw else e + log_z, color=color, label=name)
        nll = float(at.mean() + log_z)
        right.plot(y, (-e - log_z).exp(), color=color, label=f"{name}: NLL {nll:.3f}")
        if line.constant and name != "start":
            left.set_title(rf"$\int \exp(-E)$ = {float(log_z.exp()):.2f}")
    left.plot(y, exact, "--", color="black", label="data")
    nll = -float(bumps.log_prob(new).mean())
    right.plot(y, exact.neg().exp(), "--", color="black", label=f"data: NLL {nll:.3f}")
    if line.draws is not None:
        right.plot(line.draws[:300, 0], torch.rand(300) * 0.04 - 0.07, ".", color=PALETTE[1],
                   markersize=2)  # fmt: skip
    left.set(xlabel="$y$", xlim=(-4, 4), ylim=(-3, 36) if line.raw else (0, 14))
    left.set_ylabel("$E(y)$" if line.raw else r"$-\log p(y)$ in nats")
    top = 1.45 * float(exact.neg().exp().max())
    right.set(xlabel="$y$", ylabel="density", xlim=(-4, 4), ylim=(-0.08, top))
    left.legend(loc="upper center")
    right.legend(loc="upper right")
    return figure
