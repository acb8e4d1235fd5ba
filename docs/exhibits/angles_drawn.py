"""Pictures of an angle that is inferred: its energy, where solvers end, what is left of y."""

import copy
import math
import warnings
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Energy, FreeEnergy, Plane, Posterior, inference, landscape, plot
from ebmlab.plot.style import PALETTE
from exhibits.exhibit import panels

__all__ = [
    "Found",
    "Moved",
    "Slopes",
    "Weighed",
    "field",
    "slopes",
    "solved",
    "tangents",
    "tried",
    "weighed",
]

_BLUE, _ORANGE, _GREEN = PALETTE[:3]
_GRID = torch.linspace(0, 2 * math.pi, 400)


class Found(NamedTuple):
    """A free energy, one y (1, 2) and the posterior of its z."""

    free: FreeEnergy
    y: Tensor
    q: Posterior


class Slopes(NamedTuple):
    """A free energy, some y (n, 2), and the slopes of F there (n, 2)."""

    free: FreeEnergy
    y: Tensor
    slope: Tensor


class Moved(NamedTuple):
    """The z found for each y1, and its slope, all (n,)."""

    y1: Tensor
    z: Tensor
    slope: Tensor


class Weighed(NamedTuple):
    """The energy, a posterior, F (n,) by the number of draws, and the encoder's μ, log σ."""

    energy: Energy
    q: Posterior
    values: dict[int, Tensor]
    gaussian: tuple[float, float]


def field(
    ax: Axes, free: Any, y: Tensor | None = None, reach: float = 2.6, top: float = 4
) -> None:
    """The landscape of F(y) in the plane, with some y as dots."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", inference.NotConvergedWarning)
        seen = landscape(free.given(), Plane.xy(), -reach, reach, 60)
    how = {"limits": (0, top), "xlabel": "$y_1$", "ylabel": "$y_2$", "colorbar": False}
    plot.contour(seen, ax, data=y, title="$F(y)$", **how)


def tried(found: Found) -> Figure:
    """The curve of E over z with the weights of atoms, and F beside."""
    figure, (left, right) = panels(1.7, 1)
    _curve(left, found.free, found.y)
    atoms, weights = found.q.atoms[:, 0, 0], found.q.weights[:, 0].detach()
    twin = _twin(left, "weight of each atom", 1.6 * float(weights.max()))
    twin.vlines(atoms, 0, weights, color=_ORANGE, linewidth=2)
    field(right, found.free, found.y)
    return figure


def slopes(found: Slopes) -> Figure:
    """Where chains of one y end against its posterior, and slopes along y1."""
    figure, (left, right) = panels(1.2, 1)
    y, t = torch.tensor([[0.2, 0.2]]), found.free.temperature
    e = _curve(left, found.free, y)
    rng = torch.Generator().manual_seed(0)
    atoms = found.free.posterior(None, y, rng=rng).atoms.detach().flatten()
    p = (-e / t).softmax(0) * len(_GRID) / (2 * math.pi)
    twin = _twin(left, "density of $z$", 1.9 * float(p.max()))
    twin.hist(atoms.remainder(2 * math.pi), 24, density=True, color=_ORANGE, alpha=0.35)
    twin.plot(_GRID, p, color=_ORANGE, linestyle="--")
    exact = FreeEnergy(found.free.energy, inference.Enumerate(_GRID[:-1, None]), t)
    at = found.y.clone().requires_grad_()
    (slope,) = torch.autograd.grad(exact(None, at).sum(), at)
    right.plot(found.y[:, 0], slope[:, 0], color="black", label="exact")
    right.plot(found.y[:, 0], found.slope[:, 0], ".", color=_ORANGE, label="100 chains")
    right.set(xlabel="$y_1$ at $y_2 = 0.2$", ylabel=r"$\partial F/\partial y_1$")
    right.legend()
    return figure


def solved(found: Found) -> Figure:
    """The ways of a solver on the curve of E, its convergence, and F."""
    figure, (left, middle, right) = panels(1.3, 1, 1.25)
    _curve(left, found.free, found.y)
    for k, color in ((0, _ORANGE), (1, _GREEN)):
        ways = _ways(found, k)
        at = torch.stack([found.free.energy(None, found.y, z)[0] for z in ways]).detach()
        place = ways[:, 0, 0].remainder(2 * math.pi)
        left.plot(place, at, ".-", color=color, markersize=4, linewidth=0.8)
        left.plot(place[:1], at[:1], "o", color=color, markerfacecolor="white", markersize=7)
        left.plot(place[-1:], at[-1:], "o", color=color, markersize=7)
        local = _local_minimum(found, ways[-1])
        gap = (at.double() - local).clamp(min=1e-8)
        middle.plot(range(len(gap)), gap, ".-", color=color, markersize=4, linewidth=0.8)
    middle.set(
        xlabel="step", yscale="log", ylim=(5e-9, 20), ylabel="$E$ above the nearest minimum"
    )
    field(right, found.free, found.y)
    return figure


def tangents(found: Moved) -> Figure:
    """z over y1 with some tangents, and the slopes against finite differences."""
    figure, (left, right) = panels(1, 1)
    left.plot(found.y1, found.z, color=_BLUE, label="$z$ of lowest energy")
    for k in range(5, len(found.y1), 10):
        reach = torch.tensor([-0.25, 0.25])
        line = found.z[k] + found.slope[k] * reach
        left.plot(found.y1[k] + reach, line, color=_ORANGE, linewidth=2.2)
    left.plot([], [], color=_ORANGE, linewidth=2.2, label="tangents")
    left.set(xlabel="$y_1$", ylabel="$z$")
    left.legend()
    middle = (found.y1[1:] + found.y1[:-1]) / 2
    right.plot(found.y1, found.slope, color=_ORANGE, label=r"$\partial z/\partial y_1$")
    right.plot(middle, found.z.diff() / found.y1.diff(), ".", color="black", label="differences")
    right.set(xlabel="$y_1$")
    right.legend()
    return figure


def weighed(found: Weighed) -> Figure:
    """The posterior, the Gaussian and the weights; and F by the number of draws."""
    figure, (left, right) = panels(1.2, 1)
    z = torch.linspace(-5, 5, 2001, dtype=torch.float64)
    y = torch.tensor([[0.2, 0.2]])
    e = found.energy(None, y, z[:, None, None].float())[:, 0].detach().double()
    joint = (-e - 0.5 * z.square()).exp() / math.sqrt(2 * math.pi)
    total = torch.trapezoid(joint, z)
    mean, std = found.gaussian[0], math.exp(found.gaussian[1])
    left.plot(z, joint / total, color=_BLUE, label="exact posterior")
    bell = (-0.5 * ((z - mean) / std) ** 2).exp() / (std * math.sqrt(2 * math.pi))
    left.plot(z, bell, "--", color=_GREEN, label="encoder")
    atoms, weights = found.q.atoms[:, 0, 0].detach(), found.q.weights[:, 0].detach()
    twin = _twin(left, "weight of each draw", 2 * float(weights.max()))
    twin.vlines(atoms, 0, weights, color=_ORANGE)
    left.set(xlabel="$z$", ylabel="density", xlim=(-4, 4))
    left.set_ylim(0, 1.35 * left.get_ylim()[1])
    left.legend(loc="upper left")
    k = list(found.values)
    means = [float(f.mean()) for f in found.values.values()]
    low, high = ([float(f.quantile(p)) for f in found.values.values()] for p in (0.1, 0.9))
    right.fill_between(k, low, high, color=_ORANGE, alpha=0.25, linewidth=0)
    right.plot(k, means, "o-", color=_ORANGE, label="mean of 2000")
    right.axhline(-float(total.log()), color="black", linestyle="--", label="exact")
    right.set(xscale="log", xlabel="draws", ylabel="$F(y)$ in nats")
    right.legend()
    return figure


def _twin(ax: Axes, name: str, top: float) -> Axes:
    """A second vertical axis, in orange."""
    twin = ax.twinx()
    twin.set_ylabel(name, color=_ORANGE)
    twin.set_ylim(0, top)
    twin.spines["top"].set_visible(False)
    return twin


def _curve(ax: Axes, free: FreeEnergy, y: Tensor) -> Tensor:
    e = free.energy(None, y, _GRID[:, None, None])[:, 0].detach()
    ax.plot(_GRID, e, color=_BLUE)
    ax.set(xlabel="$z$", ylabel="$E(y, z)$", xlim=(0, 2 * math.pi), ylim=(0, None))
    ax.set_xticks([0, math.pi, 2 * math.pi], ["0", "π", "2π"])
    return e


def _ways(found: Found, start: int) -> Tensor:
    """Where the solver stands after each step from one of its starts: (steps + 1, 1, 1)."""
    infer: Any = copy.deepcopy(found.free.infer)
    ways, most = [infer.starts[start][None]], min(infer.steps, 25)
    infer.starts = infer.starts[start][None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", inference.NotConvergedWarning)
        for steps in range(1, most + 1):
            infer.steps = steps
            ways.append(infer(found.free.energy, None, found.y).atoms[0].detach())
    return torch.stack(ways)


def _local_minimum(found: Found, z: Tensor) -> float:
    """E at the minimum next to z."""
    solver = inference.LBFGS(tolerance=1e-7, starts=z.double())
    energy = copy.deepcopy(found.free.energy).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", inference.NotConvergedWarning)
        q = solver(energy, None, found.y.double())
    return float(energy(None, found.y.double(), q.atoms).detach()[0, 0])
