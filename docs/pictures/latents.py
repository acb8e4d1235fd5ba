"""Pictures of free energies F(y): the landscape, and the points that values of z stand for."""

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ebmlab import Energy, FreeEnergy, Method, Plane, data, landscape, plot
from ebmlab.energies import Reconstruction
from ebmlab.plot.style import PALETTE, TEMPERATURE, prepared
from ebmlab.types import Posterior, Potential
from pictures.planes import NAMES, SIZE
from pictures.toys import moons


def of_free_energy(
    energy: Energy | Potential,
    h: Tensor,
    *,
    marks: Tensor | None = None,
    curve: Tensor | None = None,
    atoms: Tensor | None = None,
    of: str = "z",
    limits: tuple[float, float] = (0.0, 2.0),
    rng: torch.Generator | None = None,
    y: Tensor | None = None,
) -> Figure:
    """F(y) with what z stands for, and data in the colors of the number h that is told of each.

    Args:
        energy: F, of points of the plane.
        h: (n,), of the first n data.
        marks: points (k, 2) that z may stand for, as crosses.
        curve: points (n, 2) of a manifold, in order.
        atoms: directions (k, 2), as lines from 0.
        of: what h is called.
        limits: of the colors.
        rng: of an energy that draws z.
        y: the data; None takes the first of the moons.
    """
    u = energy.given(rng=rng) if isinstance(energy, Energy) else energy
    field = landscape(u, Plane.xy(), resolution=80)
    y = moons()[: len(h)] if y is None else y
    with plot.style(), torch.no_grad():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, right = figure.subplots(1, 2)
        plot.contour(field, left, limits=limits, title="free energy F(y)", **NAMES)
        figure.axes[-1].set_ylabel("F above its minimum")
        dots = prepared(right).scatter(*y.T, s=6, c=h, cmap=TEMPERATURE, linewidths=0)
        right.set(title="data", xlim=(-3, 3), ylim=(-3, 3), **NAMES)
        right.set_aspect("equal")
        figure.colorbar(dots, ax=right, label=of)
        for ax in (left, right):
            color = "white" if ax is left else "black"
            if marks is not None:
                ax.scatter(*marks.T, s=45, marker="X", color=PALETTE[1], edgecolors="white")
            if curve is not None:
                ax.plot(*curve.T, color=PALETTE[1], linewidth=1.6)
            for atom in () if atoms is None else atoms:
                ax.plot(*torch.stack([0 * atom, atom]).T, color=color, linewidth=1.2)
            ax.set(xlim=(-3, 3), ylim=(-3, 3))
    return figure


def of_curve(method: Method) -> Figure:
    """F of a code of one number, and the curve that the decoder makes of all codes in use."""
    method.eval()
    with torch.no_grad():
        h = method.encode(moons()[:800])[:, 0]
        curve = decoder_of(method)(torch.linspace(float(h.min()), float(h.max()), 400)[:, None])
    return of_free_energy(method.energy, h, curve=curve, limits=(0.0, 1.0))


def of_nats(method: Method) -> Figure:
    """As of a curve, of a bound in nats, drawn by one noise that is held."""
    method.eval()
    with torch.no_grad():
        h = method.encode(moons()[:800])[:, 0]
        curve = decoder_of(method)(torch.linspace(-2.5, 2.5, 400)[:, None])
    rng = torch.Generator().manual_seed(0)
    return of_free_energy(method.energy, h, curve=curve, limits=(0.0, 10.0), rng=rng)


def of_centers(method: Method, centers: Tensor, limits: tuple[float, float]) -> Figure:
    """F of a few values of z, the points these stand for, and the likeliest z of the data."""
    q = free_of(method).posterior(None, moons()[:800])
    atoms = q.weights.argmax(0) if len(q.weights) > 1 else None
    h = torch.cdist(moons()[:800], centers).argmin(1) if atoms is None else atoms
    return of_free_energy(method.energy, h, marks=centers, of="z", limits=limits)


def of_dictionary(method: Method) -> Figure:
    """F of sparse codes, the atoms from 0, and how many of them each point uses."""
    z = atoms_of(free_of(method).posterior(None, moons()[:800]))[0]
    used = (z.abs() > 1e-3).sum(1)
    atoms = decoder_of(method).get_parameter("weight").T
    return of_free_energy(method.energy, used, atoms=2 * atoms, of="number of atoms in use")


def of_angles(method: Method) -> Figure:
    """F of a curve with an angle z, the curve, and the best angle of each point."""
    turns = torch.linspace(0, 2 * math.pi, 200)[:, None]
    y = data.ellipse(200, torch.Generator().manual_seed(0))
    q = free_of(method).posterior(None, y)
    best = atoms_of(q).expand(-1, 200, 1)[q.weights.argmax(0), torch.arange(200), 0]
    curve = decoder_of(method)(turns).detach()
    return of_free_energy(method.energy, best, curve=curve, of="angle z", y=y)


def of_stored(method: Method) -> Figure:
    """What g makes of all z of the ball, and the stored z of each point; F asks for its number."""
    z = torch.linspace(-1, 1, 400)[:, None]
    with torch.no_grad():
        stored, curve = method.get_parameter("energy.infer.table")[:, 0], decoder_of(method)(z)
    nearest = Potential(lambda y: (torch.cdist(y, curve) ** 2).min(1).values)
    return of_free_energy(nearest, stored, curve=curve, limits=(0.0, 1.0))


def atoms_of(q: Posterior) -> Tensor:
    """The atoms of a z that is one tensor."""
    assert isinstance(q.atoms, Tensor)
    return q.atoms


def free_of(method: Method) -> FreeEnergy:
    """The free energy of a method that has one."""
    energy = method.eval().energy
    assert isinstance(energy, FreeEnergy)
    return energy


def decoder_of(method: Method) -> nn.Module:
    """The decoder of the only reconstruction in a method."""
    (found,) = [part for part in method.modules() if isinstance(part, Reconstruction)]
    return found.decoder
