"""Pictures of codes of many numbers."""

import warnings
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Energy, inference
from ebmlab.inference import NotConvergedWarning
from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels

__all__ = ["Field", "Sparse", "binary", "sparse"]

_BLUE, _ORANGE, _GREEN = PALETTE[:3]


class Sparse(NamedTuple):
    """The energy, y (1, m), the z that made it and the one that was found, (dim,)."""

    energy: Energy
    y: Tensor
    true: Tensor
    found: Tensor


class Field(NamedTuple):
    """The energy, y (1, n), probabilities (n,) and their free energy (1,)."""

    energy: Energy
    y: Tensor
    q: Tensor
    value: Tensor


def sparse(made: Sparse) -> Figure:
    """Entries of z, and how fast two solvers lower the energy."""
    figure, (left, right) = panels(1.6, 1)
    place = torch.arange(len(made.true))
    left.vlines(place, 0, made.found, color=_BLUE, linewidth=1.6)
    left.plot(place, made.found, "o", color=_BLUE, markersize=4, label="found")
    left.plot(place[made.true != 0], made.true[made.true != 0], "x", color=_ORANGE, label="true")
    left.set(xlabel="entry of $z$", ylabel="value", ylim=(-1.6, 1.6))
    left.legend(ncols=2, loc="upper center")
    zeros = int((made.found == 0).sum())
    left.set_title(f"{zeros} of {len(made.found)} entries are exactly 0")
    steps = [1, 2, 3, 5, 8, 12, 20, 30, 45, 70, 100, 150]
    with torch.no_grad():
        least = _reached(made, 5000, accelerate=True)
        for name, accelerate, color in (("FISTA", True, _ORANGE), ("ISTA", False, _GREEN)):
            values = [_reached(made, k, accelerate=accelerate) - least for k in steps]
            kept = [(k, v) for k, v in zip(steps, values, strict=True) if v > 1e-6]
            right.plot(*zip(*kept, strict=True), ".-", color=color, label=name)
    right.set(xlabel="steps", yscale="log", ylabel="$E$ above its minimum")
    right.legend()
    return figure


def _reached(made: Sparse, steps: int, *, accelerate: bool) -> float:
    start = torch.zeros(1, len(made.true))
    infer = inference.Proximal(start, steps=steps, accelerate=accelerate, tolerance=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        return float(made.energy(None, made.y, infer(made.energy, None, made.y).atoms)[0, 0])


def binary(made: Field) -> Figure:
    """Noisy spins, mean-field and exact probabilities of the clean ones."""
    figure, (first, second, third, right) = panels(1, 1, 1, 1.2)
    sites = made.y.shape[1]
    z = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * sites)
    log = -made.energy(None, made.y, z[:, None])[:, 0].detach().double()
    exact = log.softmax(0).float() @ z
    free = -float(log.logsumexp(0)) + sites * float(torch.tensor(2.0).log())
    q = made.q.detach()
    titles = ("$y$", f"mean field: F = {float(made.value):.2f}", f"exact: F = {free:.2f}")
    sheets = ((made.y[0] + 1) / 2, q, exact)
    for ax, sheet, title in zip((first, second, third), sheets, titles, strict=True):
        ax.imshow(sheet.reshape(4, 4).numpy(), cmap="cividis", vmin=0, vmax=1)
        for k, p in enumerate(sheet.tolist()):
            ink = "black" if p > 0.5 else "white"
            ax.text(k % 4, k // 4, f"{p:.2f}", color=ink, fontsize=7, ha="center", va="center")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    right.plot([0, 1], [0, 1], color="black", linewidth=0.6)
    right.plot(exact, q, "o", color=_BLUE, markersize=4)
    right.set(xlabel="exact $p(z = 1)$", ylabel="$q(z = 1)$", xlim=(0, 1), ylim=(0, 1))
    return figure
