"""Pictures of chains in the plane: where they walk, and what they say of y1."""

import math
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Plane, energies, landscape, metrics, plot
from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels

__all__ = ["Walk", "cooled", "particles", "walked"]

_BLUE, _ORANGE = PALETTE[:2]
_Y1 = "$y_1$"
_BINS = torch.linspace(-2, 2, 41).numpy()


class Walk(NamedTuple):
    """Chains (steps, chains, 2), and what each of them cost."""

    samples: Tensor
    gradients: float | Tensor
    acceptance: float | Tensor | None = None
    unit: str = "gradients"
    temperature: float = 1.0


def walked(walk: Walk) -> Figure:
    """Three chains on the landscape, and y1 of all chains against the exact density."""
    figure, (left, right) = panels(1, 1)
    stretch = max(len(walk.samples) // 4, 50)
    _wells(left, trajectories=walk.samples[-stretch:, :3])
    y1 = walk.samples[..., 0]
    late = y1[len(y1) // 2 :].flatten()
    right.hist(late.numpy(), _BINS, density=True, color=_BLUE, alpha=0.45, label="chains")
    _exact(right, walk.temperature)
    right.legend(loc="upper center", ncols=3, columnspacing=0.8, handlelength=1.1)
    cost, share = float(walk.gradients), (late > 0).double().mean()
    rate = 100 * float(metrics.ess(walk.samples)[0]) / y1.shape[1] / cost
    crossed = _crossings(y1)
    first = f"{y1.shape[1]} chains, {cost:.0f} {walk.unit} and {crossed:.1f} crossings each"
    lines = [f"right well {share:.0%} (exact 50%)", f"ESS of $y_1$ in 100 {walk.unit}: {rate:.2f}"]
    if walk.acceptance is not None:
        lines.append(f"acceptance {float(walk.acceptance):.2f}")
    figure.suptitle(first + "\n" + ", ".join(lines), fontsize=9.5)
    right.set_xlabel(_Y1)
    return figure


def cooled(samples: Tensor) -> Figure:
    """y1 of chains (steps, chains, 2) over the steps of an annealing, and where they end."""
    figure, (left, right) = panels(1.6, 1)
    left.plot(samples[:, :30, 0].numpy(), color=_BLUE, linewidth=0.5, alpha=0.6)
    left.set(xlabel="step", ylabel=_Y1, xlim=(0, len(samples)), ylim=(-2.9, 2.9))
    twin = left.twinx()
    steps = torch.arange(len(samples))
    twin.plot(8.0 * (0.02 / 8.0) ** (steps / (len(samples) - 1)), color=_ORANGE, linewidth=1.6)
    twin.set(yscale="log", ylim=(0.01, 20))
    twin.set_ylabel("temperature", color=_ORANGE)
    twin.spines["top"].set_visible(False)
    end = samples[-1]
    _wells(right, samples=end)
    right.set_title(f"right well {(end[:, 0] > 0).double().mean():.0%}")
    return figure


def particles(moved: tuple[Tensor, Tensor]) -> Figure:
    """Particles before and after, and their y1 against the exact density."""
    figure, (first, then, right) = panels(1, 1, 1.2)
    for ax, at, title in zip((first, then), moved, ("start", "after 500 steps"), strict=True):
        _wells(ax, samples=at)
        ax.set_title(title)
    right.hist(moved[1][:, 0].numpy(), _BINS[::2], density=True, color=_BLUE, alpha=0.45)
    _exact(right, 1.0)
    share = (moved[1][:, 0] > 0).double().mean()
    right.set_xlabel(_Y1)
    right.set_title(f"right well {share:.0%} (exact 50%)")
    return figure


def _wells(ax: Axes, **marks: Tensor) -> None:
    u = energies.DoubleWell(height=4.0).given()
    field = landscape(u, Plane.xy(), (-2.0, -2.6), (2.0, 2.6), 80)
    plot.contour(field, ax, limits=(0, 8), xlabel=_Y1, ylabel="$y_2$", colorbar=False, **marks)
    ax.set_aspect("auto")


def _exact(ax: Axes, temperature: float) -> None:
    """The density of y1 at a temperature, and at T = 1 where that is another."""
    y1 = torch.linspace(-2, 2, 400, dtype=torch.float64)
    for t, dash in ((temperature, "-"), *([(1.0, ":")] if temperature != 1 else [])):
        p = (-4.0 * (y1.square() - 1).square() / t).exp()
        name = "exact" if temperature == 1 else f"exact, $T = {t:g}$"
        ax.plot(y1, p / torch.trapezoid(p, y1), color="black", linestyle=dash, label=name)
    top = ax.get_ylim()[1]
    ax.set(xlim=(-2, 2), ylim=(0, 1.25 * max(top, math.e / 3)), ylabel="density")


def _crossings(y1: Tensor) -> float:
    """How often a chain went from deep in one well to deep in the other: the mean over chains."""
    side, count = torch.full_like(y1[0], -1.0), torch.zeros(())
    for each in y1:
        now = torch.where(each.abs() > 0.6, each.sign(), side)
        count, side = count + (now != side).float().mean(), now
    return float(count)
