"""Methods that answer x with y."""

import torch
from matplotlib.figure import Figure

from ebmlab import Method, Plane, data, energies, fit, landscape, methods, plot
from ebmlab.networks import MLP, Choice
from ebmlab.objectives import DenoisingScore
from ebmlab.plot.style import DATA, prepared
from ebmlab.prediction import think
from ebmlab.slices import over_pairs
from ebmlab.training import Stepping, falling_cosine
from pictures.exhibit import shown
from pictures.planes import NAMES, SIZE, sized
from pictures.toys import answers, moon_of, moons

FALLS = Stepping(schedule=falling_cosine)
RELATION = "x → y = ±x has two answers. "


def _of_relation(method: Method, limits: tuple[float, float] = (0.0, 1.0)) -> Figure:
    """E(x, y) over the plane of pairs with the data, and E(x, ·) at three x."""
    x, y = answers()
    u = over_pairs(method.energy.eval())
    field = landscape(u, Plane.xy(), -1.3, 1.3, resolution=100)
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, right = figure.subplots(1, 2)
        plot.contour(field, left, limits=limits, xlabel="$x$", ylabel="$y$", title="E(x, y)")
        left.scatter(x[:300], y[:300], s=4, color=DATA, linewidths=0)
        rows = {f"x = {at:.1f}": round((at + 1.3) / 2.6 * 99) for at in (-0.8, 0.0, 0.4)}
        curves = {name: field.energy[:, k] - field.energy.min() for name, k in rows.items()}
        plot.curves(curves, field.b, right, xlabel="$y$", ylabel="E", title="sections")
        right.set_ylim(limits[0], 1.5 * limits[1])
        right.legend()
    return figure


def _of_nats(method: Method) -> Figure:
    return _of_relation(method, (0.0, 6.0))


def _of_thoughts(method: Method) -> Figure:
    """E(x, y), and where thinking leads from random starts."""
    figure = _of_relation(method, (0.0, 0.5))
    ax = figure.axes[1]
    x = torch.linspace(-1, 1, 40)[:, None]
    starts = torch.randn(8, 1, generator=torch.Generator().manual_seed(0))
    found = think(method, x, starts, steps=8).y[-1].detach()
    with plot.style():
        ax.clear()
        prepared(ax).scatter(x.expand_as(found).flatten(), found.flatten(), s=6, linewidths=0)
        ax.set(title="answers after 8 thoughts, 8 starts", xlabel="$x$", ylabel="$y$")
        ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    return figure


@shown(
    _of_relation,
    RELATION + "E = ‖f(x) − y‖² can have one valley only: it runs through the "
    "middle, y = 0, where no data are.",
)
def regression() -> Method:
    method = methods.regression(MLP(1, 1, (64, 64)))
    fit(method, answers(), steps=400, lr=3e-3)
    return method


@shown(
    _of_relation,
    RELATION + "Two values of z give two predictions, and F is low at the nearer "
    "one: a valley for each answer, and none between them.",
)
def latent_prediction() -> Method:
    method = methods.latent_prediction(Choice(MLP(1, 2, (64, 64)), 2), torch.eye(2))
    fit(method, answers(), steps=500, lr=5e-3, stepping=FALLS)
    return method


@shown(
    _of_thoughts,
    RELATION + "Answers are where steps down E(x, ·) lead from random starts, "
    "and of eight starts the nearest counts: starts divide the two answers among themselves.",
)
def ebt() -> Method:
    bowl = energies.Gaussian(torch.zeros(1), torch.eye(1))
    method = methods.ebt(energies.MLP(1, 1, (64, 64)) + bowl, starts=8)
    fit(method, answers(), steps=500, batch_size=64, lr=1e-2, stepping=FALLS)
    return method


@shown(
    _of_relation,
    RELATION + "A hinge raises the wrong answer of lowest energy, at least 0.3 "
    "from the datum. Where the other answer is right too it is pushed up as well: two answers "
    "fight, and the valleys are shallow.",
)
def most_offending() -> Method:
    method = methods.most_offending(energies.MLP(1, x_dim=1), epsilon=0.3, steps=10)
    fit(method, answers(), steps=200, lr=5e-3, stepping=FALLS)
    return method


def _of_horn(method: Method) -> Figure:
    """F(x, ·) at three x, with the data whose x is near."""
    x, y = data.horn(2000, torch.Generator().manual_seed(0))
    reach = 1.15 * float(y.abs().max())
    at = [float(x.quantile(q)) for q in (0.1, 0.5, 0.9)]
    fields = [
        landscape(method.energy.given(torch.tensor([k])), Plane.xy(), -reach, reach) for k in at
    ]
    titles = [f"F(x, y) at x = {k:.2f}" for k in at]
    figure = plot.landscapes(fields, titles, limits=(0.0, 8.0), **NAMES)
    for ax, k in zip(figure.axes, at, strict=False):
        near = (x[:, 0] - k).abs() < 0.03
        ax.scatter(*y[near].T, s=5, color=DATA, linewidths=0)
    return sized(figure)


@shown(
    _of_horn,
    "For each x another ellipse, whose angle z nobody tells: a network learns both "
    "radii from points (x, y). The ring of low energy grows with x.",
)
def horn() -> Method:
    method = methods.horn()
    pairs = data.horn(2000, torch.Generator().manual_seed(0))
    fit(method, pairs, steps=600, lr=1e-2, stepping=FALLS)
    return method


def _of_classes(method: Method) -> Figure:
    """The energy of y alone, and which moon its label is."""
    energy = method.energy.eval()
    field = landscape(energy.given(), Plane.xy(), resolution=80)
    y = field.plane.points(*torch.meshgrid(field.a, field.b, indexing="xy"))
    with torch.no_grad():
        labels = [energy(torch.full(y.shape[:-1], k), y) for k in (0, 1)]
    share = (labels[0] - labels[1]).sigmoid()
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, right = figure.subplots(1, 2)
        plot.contour(field, left, title="E(y), the label summed out", **NAMES)
        image = prepared(right).pcolormesh(field.a, field.b, share, cmap="coolwarm", alpha=0.7)
        figure.colorbar(image, ax=right, label="p(lower moon | y)")
        right.set(title="labels", aspect="equal", **NAMES)
        for ax in (left, right):
            ax.scatter(*moons()[:300].T, s=4, color=DATA, linewidths=0)
    return figure


@shown(
    _of_classes,
    "A classifier of the two moons, whose logits also say how much of such a y "
    "there is: right, the label; left, the energy of y alone, low along both moons.",
)
def jem() -> Method:
    y = moons()
    energy = energies.Classifier(MLP(2, 2), y_ndim=1)
    method = methods.jem(energy, weight=1.0, shape=DenoisingScore(0.15))
    fit(method, (moon_of(y), y), steps=800, lr=5e-3, stepping=FALLS)
    return method
