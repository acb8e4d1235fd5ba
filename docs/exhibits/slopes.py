"""Objectives that look at slopes of an energy, or at labels: two bumps on the line again."""

import copy

import torch

from ebmlab import Method, energies, fit, losses, negatives, networks, objectives
from ebmlab.samplers import MALA
from exhibits.exhibit import shown
from exhibits.lines_drawn import Line, bumps, lined
from exhibits.slopes_drawn import Answered, Labeled, answered, labeled

__all__ = ["SLOPES"]


def exact_score() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    method = Method(energy, objectives.ExactScore())
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy})


def sliced_score() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    method = Method(energy, objectives.SlicedScore(probes=1))
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy})


def denoising_score() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    method = Method(energy, objectives.DenoisingScore(sigma=0.3))
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy})


def multi_scale() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1, x_dim=1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    method = Method(energy, objectives.MultiScaleScore(low=0.1, high=2.0, draws=4))
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    sigma = torch.tensor([0.1])  # the level that is drawn
    return Line({"start": first, "trained": energy}, x=sigma)


def equilibrium() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    method = Method(energy, objectives.EquilibriumMatching())
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy})


def energy_matching() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    near = objectives.Contrastive(losses.difference, negatives.FromData(MALA(0.3), steps=10))
    method = Method(energy, objectives.EnergyMatching(near, temperature=1.0))
    fit(method, (None, y), steps=300, rng=rng, lr=3e-3)
    return Line({"start": first, "trained": energy})


def label_likelihood() -> Labeled:
    y, rng = bumps.sample(2000, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    labels = (y[:, 0] > 0).long()
    energy = energies.Classifier(networks.MLP(1, 2, (64, 64)), y_ndim=1)
    fit(Method(energy, objectives.LabelLikelihood()), (labels, y), steps=300, rng=rng, lr=3e-3)
    return Labeled(energy)


def unconditional() -> Labeled:
    y, rng = bumps.sample(2000, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    labels = (y[:, 0] > 0).long()
    energy = energies.Classifier(networks.MLP(1, 2, (64, 64)), y_ndim=1)
    density = objectives.Unconditional(objectives.DenoisingScore(0.3))
    objective = objectives.LabelLikelihood() + density
    fit(Method(energy, objective), (labels, y), steps=300, rng=rng, lr=3e-3)
    return Labeled(energy)


def unrolled() -> Answered:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    objective = objectives.Unrolled(starts=4)  # FixedSteps(1.0), one to four times
    fit(Method(energy, objective), (None, y), steps=300, rng=rng, lr=3e-3)
    return Answered({"start": first, "trained": energy}, objective.solver)


_READ = (
    "Left: -log p of the model, which is the energy up to a constant, and of the data (dashed). "
    "Right: the densities, with the exact negative log-likelihood of new data. "
)

SLOPES = {
    "ExactScore": shown(
        exact_score,
        lined,
        _READ + "Slopes at the data give each bump its shape. How much each bump weighs rests on "
        "the few data between them.",
    ),
    "SlicedScore": shown(
        sliced_score,
        lined,
        _READ + "On the line a random sign is the exact curvature, so this is the loss of "
        "`ExactScore`. Other batches give the bumps other weights: slopes hardly tell them.",
    ),
    "DenoisingScore": shown(
        denoising_score,
        lined,
        _READ + "What is learned is the density of the data with noise of 0.3 added: the bumps "
        "are wider than those of the data, and how much each weighs is not right.",
    ),
    "MultiScaleScore": shown(
        multi_scale,
        lined,
        _READ + "The energy is told the noise level; drawn is that of 0.1. Wide levels join the "
        "bumps and carry down what each weighs.",
    ),
    "EquilibriumMatching": shown(
        equilibrium,
        lined,
        _READ + "It fails here, and shows why: noise N(0, 1) lies between the bumps, its ways to "
        "the left one all lead outwards, and the energy falls on beyond it. Descent from noise is "
        "all that it promises, no density at any temperature.",
    ),
    "EnergyMatching": shown(
        energy_matching,
        lined,
        _READ + "A weak flow from noise shapes the energy far out, contrastive divergence makes "
        "it the density of the data.",
    ),
    "LabelLikelihood": shown(
        label_likelihood,
        labeled,
        "Left: E(x, y) of two labels, and E(None, y) with the labels summed out. "
        "Right: p(x = 1 | y) against the true one, and exp(-E(None, y)) against the data. The "
        "labels are learned; which y are likely is left open, and wrong.",
    ),
    "Unconditional": shown(
        unconditional,
        labeled,
        "Left: E(x, y) of two labels, and E(None, y) with the labels summed out. "
        "Right: p(x = 1 | y) against the true one, and exp(-E(None, y)) against the data. The "
        "network of `LabelLikelihood`, with denoising of E(None, y) beside it: now it holds a "
        "density too.",
    ),
    "Unrolled": shown(
        unrolled,
        answered,
        "Left: the energy before and after, above its minimum. Right: where four steps of descent "
        "take 1000 starts from N(0, 1), against the data. Each start goes "
        "to one of two points, the nearest answers' means: no density, and no spread.",
    ),
}
