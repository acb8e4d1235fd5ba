"""Methods of binary lattices: which sites are coupled, and machines with hidden units."""

from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import fit, methods, plot
from ebmlab.energies import RBM, DeepBoltzmann, Ising, Pairwise
from ebmlab.partition import binary_states
from ebmlab.plot.style import PALETTE, opened, prepared
from ebmlab.training import Stepping, falling_cosine
from pictures.exhibit import shown
from pictures.planes import SIZE

FALLS = Stepping(schedule=falling_cosine)
NEIGHBORS = "Couplings of a 4 × 4 lattice, the true ones left, the learned ones in the middle. "


def truth() -> Pairwise:
    """A 4 × 4 lattice whose bonds have signs and strengths of their own."""
    rng, energy = torch.Generator().manual_seed(0), Pairwise.of(Ising((4, 4), 1.0, periodic=False))
    sign = torch.where(torch.rand(120, generator=rng) < 0.6, 1.0, -1.0)
    strength = 0.15 + 0.35 * torch.rand(120, generator=rng)
    energy.couplings.data.mul_(sign * strength)
    return energy


def spins() -> Tensor:
    """2,000 draws of that lattice."""
    states = binary_states(16).view(-1, 4, 4)
    law = (-truth()(None, states)).softmax(0).detach()
    rng = torch.Generator().manual_seed(0)
    return states[law.multinomial(2000, replacement=True, generator=rng)]


def _of_couplings(found: Pairwise) -> Figure:
    """The true couplings, those found, and both against each other."""
    true, learned = truth().couplings.detach(), found.couplings.detach()
    error = float((true - learned).square().mean().sqrt())
    upper = torch.triu_indices(16, 16, 1)
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, middle, right = figure.subplots(1, 3)
        for ax, values, title in ((left, true, "true J"), (middle, learned, "learned J")):
            matrix = torch.zeros(16, 16)
            matrix[upper[0], upper[1]] = values
            image = prepared(ax, title=title).imshow(
                matrix + matrix.T, "RdBu", vmin=-0.6, vmax=0.6
            )
            ax.set(xlabel="site", ylabel="site" if ax is left else "")
        figure.colorbar(image, ax=middle)
        opened(prepared(right), grid=True).axline((0, 0), slope=1, color="0.6", linewidth=0.8)
        right.scatter(true, learned, s=12, color=PALETTE[1], linewidths=0)
        right.set(title=f"RMSE {error:.3f}", xlabel="true", ylabel="learned", box_aspect=1)
        right.set(xlim=(-0.65, 0.65), ylim=(-0.65, 0.65))
    return figure


@shown(
    _of_couplings,
    NEIGHBORS + "Each site is predicted from all others: no log Z is needed, and "
    "points lie on the line.",
)
def pseudo_likelihood() -> Pairwise:
    energy, y = Pairwise((4, 4)), spins()
    method = methods.pseudo_likelihood(energy)
    fit(method, (None, y), steps=150, batch_size=2000, lr=0.04, stepping=FALLS)
    return energy


@shown(
    _of_couplings,
    NEIGHBORS + "The ratio of a state's probability to that of its neighbors, "
    "one spin turned round, is matched to that of the data.",
)
def ratio_matching() -> Pairwise:
    energy, y = Pairwise((4, 4)), spins()
    method = methods.ratio_matching(energy)
    fit(method, (None, y), steps=150, batch_size=2000, lr=0.04, stepping=FALLS)
    return energy


@shown(
    _of_couplings,
    NEIGHBORS + "Probability should leave the data for their neighbors as slowly as can be.",
)
def probability_flow() -> Pairwise:
    energy, y = Pairwise((4, 4)), spins()
    method = methods.probability_flow(energy)
    fit(method, (None, y), steps=150, batch_size=2000, lr=0.04, stepping=FALLS)
    return energy


@shown(
    _of_couplings,
    NEIGHBORS + "The relative change of probability to each neighbor is matched. "
    "Rare states decide much, so that from 2,000 draws it is the noisiest of the four.",
)
def concrete_score() -> Pairwise:
    energy, y = Pairwise((4, 4)), spins()
    method = methods.concrete_score(energy)
    fit(method, (None, y), steps=150, batch_size=2000, lr=0.04, stepping=FALLS)
    return energy


class Machine(NamedTuple):
    """A trained machine's chains and the filters of its first hidden layer."""

    chains: Tensor
    filters: Tensor


def bars() -> Tensor:
    """The 30 images of 4 × 4 pixels that are bars, or stripes."""
    lines = binary_states(4)[:, :, None].expand(16, 4, 4)
    return torch.cat([lines, lines.mT]).unique(dim=0).flatten(1)


def _of_machine(found: Machine) -> Figure:
    """Data, the last states of the chains, and filters."""
    known = (found.chains[:, None] == bars()).all(-1).any(1).float().mean()
    rng = torch.Generator().manual_seed(0)
    data = bars()[torch.randperm(30, generator=rng)[:24]]
    filters = found.filters / (2 * found.filters.abs().max()) + 0.5
    sheets = {
        "data": data,
        f"chains: {known:.0%} are bars or stripes": found.chains[:24],
        "filters": filters[:24],
    }
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        for ax, (title, sheet) in zip(figure.subplots(1, 3), sheets.items(), strict=True):
            plot.images(0.15 + 0.7 * sheet.view(-1, 1, 4, 4), 6, ax, title=title)
    return figure


@shown(
    _of_machine,
    "Bars and stripes, states of the machine's chains, and what its hidden units "
    "look at (bright excites). By chance 30 of 65,536 images would be bars or stripes.",
)
def rbm() -> Machine:
    y, machine = bars(), RBM(16, 24)
    method = methods.rbm(machine, y.repeat(5, 1), steps=5)
    fit(method, (None, y.repeat(5, 1)), steps=1500, batch_size=150, lr=2e-2, stepping=FALLS)
    return Machine(method.get_buffer("objective.negatives.pool"), machine.weights.detach().T)


@shown(
    _of_machine,
    "As the RBM with a second hidden layer, its posterior by mean field. Most chains of "
    "the visible and the top layer are bars or stripes; by chance 30 of 65,536 images "
    "would be.",
)
def deep_boltzmann() -> Machine:
    y, machine = bars().repeat(5, 1), DeepBoltzmann(16, 24, 12)
    method = methods.deep_boltzmann(machine, torch.cat([y, torch.zeros(150, 12)], 1))
    fit(method, (None, y), steps=2000, batch_size=150, lr=2e-2, stepping=FALLS)
    return Machine(
        method.get_buffer("objective.negatives.pool")[:, :16], machine.rbm.weights[:16].detach().T
    )
