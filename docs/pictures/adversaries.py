"""Methods whose negatives a generator makes."""

from typing import NamedTuple

import torch
from matplotlib.figure import Figure

from ebmlab import Energy, Method, Plane, energies, fit, landscape, methods, plot
from ebmlab.networks import MLP, Generator
from ebmlab.plot.style import DATA
from ebmlab.training import Players, Stepping, falling_cosine
from pictures.exhibit import shown
from pictures.planes import NAMES, sized
from pictures.toys import moons

FALLS = Stepping(schedule=falling_cosine)


class Played(NamedTuple):
    """What came out of a game: an energy and a generator."""

    energy: Energy
    generator: Generator


def _of_game(played: Played) -> Figure:
    """The energy, with data and with the generator's draws."""
    draws = played.generator.sample(400, torch.Generator().manual_seed(1)).detach()
    field = landscape(played.energy.eval().given(), Plane.xy(), resolution=80)
    titles = ["energy and data", "energy and the generator's draws"]
    figure = plot.landscapes([field] * 2, titles, samples=[None, draws], **NAMES)
    figure.axes[0].scatter(*moons()[:400].T, s=4, color=DATA, linewidths=0)
    return sized(figure)


def players(method: Method, generator: Generator) -> Players:
    """Adam without momentum for both sides."""
    sides = (method.energy.parameters(), generator.parameters())
    return Players(*(torch.optim.Adam(side, 4e-3, (0.0, 0.99)) for side in sides))


@shown(
    _of_game,
    "Crosses are the generator's draws: most come to lie on the moons, some between them. The "
    "energy is low and nearly flat where the draws are like the data: a critic, no density.",
)
def gan() -> Played:
    energy, g = energies.MLP(2), Generator(MLP(4, 2, (64, 64)), 4)
    method = methods.gan(energy, g)
    fit(method, (None, moons()), steps=1500, optimizer=players(method, g), stepping=FALLS)
    return Played(energy, g)


@shown(
    _of_game,
    "The slope of the energy is held near 1 between data and draws, so that far-off draws still "
    "know the way. After so few steps draws reach the moons' outline, and fill what lies between.",
)
def wgan_gp() -> Played:
    energy, g = energies.MLP(2), Generator(MLP(4, 2, (64, 64)), 4)
    method = methods.wgan_gp(energy, g, every=3)
    fit(method, (None, moons()), steps=1500, optimizer=players(method, g), stepping=FALLS)
    return Played(energy, g)


@shown(
    _of_game,
    "The energy is an autoencoder's error, low at the data and raised at draws up to a margin: a "
    "wide valley about the moons. Draws cover both moons, with strays between them.",
)
def ebgan() -> Played:
    g = Generator(MLP(4, 2, (64, 64)), 4)
    method = methods.ebgan(MLP(2, 16, (64,)), MLP(16, 2, (64,)), g)
    fit(method, (None, moons()), steps=1500, optimizer=players(method, g), stepping=FALLS)
    return Played(method.energy, g)


@shown(
    _of_game,
    "The generator samples exp(−E), held wide by the entropy of its draws. The energy estimates "
    "−log p, and follows the moons roughly; the draws still fill what lies between them.",
)
def vera() -> Played:
    y, g = moons(), Generator(MLP(4, 2, (64, 64)), 4)
    energy = energies.MLP(2) + energies.Gaussian(y.mean(0), y.T.cov())
    method = methods.vera(energy, g)
    fit(method, (None, y), steps=1500, optimizer=players(method, g), stepping=FALLS)
    return Played(energy, g)


@shown(
    _of_game,
    "The generator proposes, ten MALA steps of the energy correct, and it learns from the "
    "corrections. After so few steps both are coarse: a broad valley, and draws inside the moons.",
)
def cooperative() -> Played:
    y, g = moons(), Generator(MLP(4, 2, (64, 64)), 4)
    energy = energies.MLP(2) + energies.Gaussian(y.mean(0), y.T.cov())
    method = methods.cooperative(energy, g)
    fit(method, (None, y), steps=500, optimizer=players(method, g), stepping=FALLS)
    return Played(energy, g)
