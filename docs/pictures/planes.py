"""Pictures of densities: the data's, the energy that was learned, and its draws."""

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Energy, Method, Plane, data, landscape, metrics, plot
from ebmlab.plot.style import DATA
from ebmlab.types import Potential
from pictures.toys import moons

NAMES: dict[str, Any] = {"xlabel": "$y_1$", "ylabel": "$y_2$"}
LIMITS = (0.0, 10.0)
SIZE = (7.4, 2.7)


def of_density(energy: Energy | Potential) -> Figure:
    """-log p of the data, the energy, and draws of exp(-E) / Z; with the NLL of new data."""
    toy, rng = data.toys.two_moons, torch.Generator().manual_seed(1)
    new = toy(4000, rng)
    u = energy.given() if isinstance(energy, Energy) else energy
    true = landscape(lambda y: -toy.log_density(y).clamp(min=-60), Plane.xy(), resolution=80)
    found = landscape(u, Plane.xy(), resolution=80)
    entropy, nll = -float(toy.log_density(new).mean()), float(metrics.nll(u, new, found.log_z()))
    titles = [
        f"data: −log p, {entropy:.2f} nats",
        f"learned energy: {nll:.2f} nats",
        "draws of exp(−E) / Z",
    ]
    figure = plot.landscapes(
        [true, found, found],
        titles,
        samples=[None, None, found.sample(300, rng)],
        limits=LIMITS,
        **NAMES,
    )
    return sized(_with(figure, 0, moons()[:300]))


def of_method(method: Method) -> Figure:
    """As of a density, of the method's energy."""
    return of_density(method.energy.eval())


def _with(figure: Figure, panel: int, points: Tensor) -> Figure:
    ax = figure.axes[panel]
    ax.scatter(*points.T.numpy(), s=4, color=DATA, linewidths=0)
    return figure


def sized(figure: Figure) -> Figure:
    """The figure in the size of all."""
    figure.set_size_inches(*SIZE)
    return figure
