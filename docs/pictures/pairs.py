"""Pictures of two views: which y go with a given x, and how the codes of the data lie."""

import math

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, Plane, landscape, metrics, plot
from ebmlab.energies import JointEmbedding, SuperClasses
from ebmlab.networks import Prototypes
from ebmlab.plot.style import ENERGY, PALETTE, TEMPERATURE, prepared
from ebmlab.slices import Landscape
from pictures.planes import NAMES, SIZE
from pictures.toys import moon_of, moons

# One point in the middle of each moon.
STARS = torch.tensor([[-0.8, 1.2], [0.8, -1.2]])


def places(y: Tensor) -> Tensor:
    """How far along the moons points lie: 0 to 1 on the upper one, 1 to 2 on the lower one."""
    upper = moon_of(y) == 0
    turned = torch.where(upper[:, None], y, -y) + torch.tensor([0.8, 0.4])
    share = torch.atan2(turned[:, 1], turned[:, 0]).remainder(2 * math.pi) / math.pi
    share = torch.where(share > 1.5, share - 2, share).clamp(0, 1)
    return torch.where(upper, share, 1 + share)


def relative(method: Method, x: Tensor) -> Landscape:
    """E(x, ·) over the plane, 0 at its minimum and 1 at its mean over the data."""
    u = method.energy.eval().given(x)
    with torch.no_grad():
        mean = u(moons()[:500]).mean()
    found = landscape(u, Plane.xy(), resolution=80)
    low = found.energy.min()
    scaled = (found.energy - low) / (mean - low).clamp(min=1e-9)
    return Landscape(scaled, found.a, found.b, found.plane)


def of_views(method: Method) -> Figure:
    """E(x, ·) for two x, stars, and the codes of the data, colored by place along the moons.

    Titles give the effective rank of the codes, and the root of their total variance.
    """
    fields = [relative(method, x) for x in STARS]
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1])
        for ax, field, star in zip((left, middle), fields, STARS, strict=True):
            last = ax is middle
            plot.contour(field, ax, limits=(0.0, 2.0), colorbar=last, title="E(x, y), x the star")
            ax.set(xlabel=NAMES["xlabel"], ylabel="" if last else NAMES["ylabel"])
            ax.scatter(*moons()[:200].T, s=3, color="white", alpha=0.6, linewidths=0)
            ax.scatter(*star, s=110, marker="*", color=PALETTE[1], edgecolors="white")
        figure.axes[-1].set_ylabel("energy, 1 for the mean y")
        with torch.no_grad():
            codes(method.encode(moons()[:800]), right)
    return figure


def codes(h: Tensor, ax: Axes, y: Tensor | None = None) -> None:
    """Codes in their first two directions, colored by place along the moons."""
    rank = metrics.effective_rank(h)
    spread = float(h.std(0).norm())
    flat = Plane.pca(h).coordinates(h) if h.shape[1] > 2 and spread > 1e-6 else h[:, :2]
    color = places(moons()[: len(h)] if y is None else y)
    prepared(ax).scatter(*flat.T, s=5, c=color, cmap=TEMPERATURE, linewidths=0)
    ax.set_title(f"codes: rank {rank:.1f}, std {spread:.1g}")
    reach = max(0.5, 1.1 * float(flat.abs().max()))
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), box_aspect=1)


def of_support(method: Method) -> Figure:
    """How alike the compared codes of 40 points are, and the codes of the data."""
    y = moons()
    some = y[places(y).argsort()][25::50]
    with plot.style(), torch.no_grad():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, right = figure.subplots(1, 2)
        h = method.eval().encode(some)
        h = nn.functional.normalize(h - method.encode(y).mean(0), dim=1)
        image = prepared(left).imshow(h @ h.T, cmap=ENERGY.reversed(), vmin=-1, vmax=1)
        left.set(title="cosine of centered codes", xlabel="along the moons", ylabel="")
        figure.colorbar(image, ax=left)
        codes(method.encode(y[:800]), right)
    return figure


def of_assignments(method: Method) -> Figure:
    """The cluster of each point of the plane, and the codes of the data."""
    axis = torch.linspace(-3, 3, 120)
    grid = torch.cartesian_prod(axis, axis)
    with plot.style(), torch.no_grad():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, right = figure.subplots(1, 2)
        which = clusters(method.eval(), grid)
        colors = ListedColormap(mpl.colormaps["tab20"](range(20)))
        field = which.reshape(120, 120).T
        prepared(left).pcolormesh(axis, axis, field, cmap=colors, vmin=0, vmax=20, alpha=0.55)
        left.scatter(*moons()[:400].T, s=4, color="black", linewidths=0)
        used = len(clusters(method, moons()).unique())
        left.set(title=f"cluster: {used} used by the data", aspect="equal", **NAMES)
        codes(method.encode(moons()[:800]), right)
    return figure


def clusters(method: Method, y: Tensor) -> Tensor:
    """The likeliest cluster of each point, numbered from 0."""
    energy = method.energy
    assert isinstance(energy, JointEmbedding)
    logits = energy.online(y)
    head = energy.head.energy if isinstance(energy.head, FreeEnergy) else energy.head
    for part in head.modules():
        if isinstance(part, Prototypes):
            logits = part(logits)
        if isinstance(part, SuperClasses):
            logits = part.coarse(logits)
    return logits.argmax(1)
