"""Objectives of discrete y: couplings of an Ising model learned from draws."""

import torch

from ebmlab import Method, energies, fit, objectives
from exhibits.couplings_drawn import Bonds, bonded, spins
from exhibits.exhibit import shown

__all__ = ["COUPLINGS"]


def pseudo_likelihood() -> Bonds:
    energy, rng = energies.Pairwise((3, 3)), torch.Generator().manual_seed(1)
    y = spins(2000)  # exact draws of an Ising model
    fit(Method(energy, objectives.PseudoLikelihood()), (None, y), steps=300, rng=rng, lr=2e-2)
    return Bonds({"learned": energy})


def ratio_matching() -> Bonds:
    energy, rng = energies.Pairwise((3, 3)), torch.Generator().manual_seed(1)
    y = spins(2000)  # exact draws of an Ising model
    fit(Method(energy, objectives.RatioMatching()), (None, y), steps=300, rng=rng, lr=2e-2)
    return Bonds({"learned": energy})


def concrete_score() -> Bonds:
    energy, rng = energies.Pairwise((3, 3)), torch.Generator().manual_seed(1)
    y = spins(2000)  # exact draws of an Ising model
    fit(Method(energy, objectives.ConcreteScore()), (None, y), steps=300, rng=rng, lr=5e-3)
    return Bonds({"learned": energy})


def probability_flow() -> Bonds:
    energy, rng = energies.Pairwise((3, 3)), torch.Generator().manual_seed(1)
    y, objective = spins(2000), objectives.MinimumProbabilityFlow()
    fit(Method(energy, objective), (None, y), steps=300, rng=rng, lr=2e-2)
    return Bonds({"learned": energy})


def lasso() -> Bonds:
    y, learned = spins(150), {}
    for weight in (0.0, 0.15):
        energy, rng = energies.Pairwise((3, 3)), torch.Generator().manual_seed(1)
        objective = objectives.PseudoLikelihood() + objectives.Lasso(weight)
        fit(Method(energy, objective), (None, y), steps=300, rng=rng, lr=5e-3)
        learned[f"weight {weight:g}"] = energy
    return Bonds(learned)


_READ = (
    "All 36 couplings of a 3 × 3 lattice, learned from 2000 draws, against the true ones (left), "
    "and the model's probability of each of the 512 states against the true one (right). "
)

COUPLINGS = {
    "PseudoLikelihood": shown(
        pseudo_likelihood,
        bonded,
        _READ + "Each spin is predicted from all others; that is enough to find the couplings.",
    ),
    "RatioMatching": shown(
        ratio_matching,
        bonded,
        _READ + "Each datum is compared with its nine neighbors by a bounded cost, which is "
        "content once all lie high; on these data it finds the couplings just as well.",
    ),
    "ConcreteScore": shown(
        concrete_score,
        bonded,
        _READ + "Ratios enter by their squares, so rare states weigh much and the couplings are "
        "the least sure of the four objectives of neighbors.",
    ),
    "MinimumProbabilityFlow": shown(
        probability_flow,
        bonded,
        _READ + "The flow of probability from data to their neighbors is least at the true "
        "couplings.",
    ),
    "Lasso": shown(
        lasso,
        bonded,
        "Couplings learned from 150 draws only, with and without the penalty, against the true "
        "ones; right, probabilities of the 512 states. It pulls couplings that are not there "
        "towards 0, and shrinks those that are. Exact zeros take a proximal step.",
    ),
}
