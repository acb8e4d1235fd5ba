"""Objectives of a density on the line: an energy before and after 300 steps on two bumps."""

import copy

import torch

from ebmlab import Method, energies, fit, losses, negatives, networks, objectives, partition
from ebmlab.perturbations import Gaussian
from ebmlab.samplers import MALA, Langevin
from exhibits.exhibit import shown
from exhibits.lines_drawn import Line, bumps, lined

__all__ = ["LINES"]


def likelihood() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    values, log_weights = partition.nodes(-4 * torch.ones(1), 4 * torch.ones(1), resolution=64)
    method = Method(energy, objectives.Likelihood(values, log_weights))
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy})


def nce() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    energy, rng = energy + energies.Constant(), torch.Generator().manual_seed(1)
    first = copy.deepcopy(energy)
    noise = energies.Gaussian(torch.zeros(1), 4 * torch.eye(1))
    method = Method(energy, objectives.NCE(noise, k=4))
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy}, constant=True)


def energy_discrepancy() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    method = Method(energy, objectives.EnergyDiscrepancy(Gaussian(time=1.0), negatives=8))
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy})


def recovery() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    method = Method(energy, objectives.RecoveryLikelihood(1.0, MALA(0.4), steps=10))
    fit(method, (None, y), steps=300, rng=rng, lr=5e-3)
    return Line({"start": first, "trained": energy})


def improved_cd() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    chains = negatives.Replay(6 * torch.rand(1000, 1) - 3, MALA(0.3), steps=5)
    method = Method(energy, objectives.ImprovedCD(chains, Langevin(0.1), weight=0.1, entropy=0.3))
    fit(method, (None, y), steps=300, rng=rng, lr=3e-3)
    return Line({"start": first, "trained": energy})


def squared_energies() -> Line:
    y, trained = bumps.sample(2000, torch.Generator().manual_seed(0)), {}
    for weight in (0.0, 0.05):
        energy, rng = energies.MLP(1), torch.Generator()
        energy.network[-1].bias.data.fill_(20.0)  # it begins 20 nats too high
        contrast = objectives.Contrastive(losses.difference, negatives.FromData(MALA(0.3), 5))
        objective = contrast + weight * objectives.SquaredEnergies()
        method = Method(energy, objective)
        fit(method, (None, y), steps=300, rng=rng.manual_seed(1), lr=3e-3)
        trained[f"weight {weight:g}"] = energy
    return Line(trained, raw=True)


def gradient_penalty() -> Line:
    y, trained = bumps.sample(2000, torch.Generator().manual_seed(0)), {}
    noise = negatives.Noise(energies.Uniform(torch.tensor([-4.0]), torch.tensor([4.0])))
    for weight in (0.0, 1.0):
        energy, rng = energies.MLP(1), torch.Generator().manual_seed(1)
        contrast = objectives.Contrastive(losses.log_loss, noise)
        objective = contrast + weight * objectives.GradientPenalty()
        fit(Method(energy, objective), (None, y), steps=300, rng=rng, lr=5e-3)
        trained[f"weight {weight:g}"] = energy
    return Line(trained)


def adversarial() -> Line:
    y, energy = bumps.sample(2000, torch.Generator().manual_seed(0)), energies.MLP(1)
    first, rng = copy.deepcopy(energy), torch.Generator().manual_seed(1)
    generator = networks.Generator(networks.MLP(2, 1, (64, 64)), dim=2)
    game = objectives.Fooling(losses.logistic, torch.nn.functional.softplus)
    method = Method(energy, objectives.Adversarial(generator, game))
    fit(method, (None, y), steps=300, rng=rng, lr=2e-3)
    return Line({"start": first, "critic": energy}, draws=generator.sample(2000, rng).detach())


_READ = (
    "Left: -log p of the model, which is the energy up to a constant, and of the data (dashed). "
    "Right: the densities, with the exact negative log-likelihood of new data. "
)

LINES = {
    "Likelihood": shown(
        likelihood,
        lined,
        _READ + "With log Z by quadrature nothing is left to chance: on the line the model "
        "follows the data wherever there are some.",
    ),
    "NCE": shown(
        nce,
        lined,
        _READ + "Telling data from Gaussian noise teaches the energy with its constant: the "
        "integral of exp(-E) comes near 1 without having been told.",
    ),
    "EnergyDiscrepancy": shown(
        energy_discrepancy,
        lined,
        _READ + "Data are compared with points that were blurred twice, without chains or "
        "slopes; moves as long as a bump is wide tell how much each bump weighs.",
    ),
    "RecoveryLikelihood": shown(
        recovery,
        lined,
        _READ + "Short chains start at noisy data and are held near them; noise as wide as the "
        "way between the bumps lets them tell, roughly, how much each weighs.",
    ),
    "ImprovedCD": shown(
        improved_cd,
        lined,
        _READ + "Persistent chains, whose last Langevin step is in the graph, with an entropy "
        "that keeps them apart. After 300 steps the weights of the bumps are still off.",
    ),
    "SquaredEnergies": shown(
        squared_energies,
        lined,
        "Left: the energy itself, begun 20 nats too high, after contrastive divergence with and "
        "without the penalty. The contrast sees differences only and leaves the height where it "
        "was; the penalty brings it down. Right: the densities, which the height does not change.",
    ),
    "GradientPenalty": shown(
        gradient_penalty,
        lined,
        _READ + "A log loss against uniform noise, with and without a penalty on the slope at "
        "the data: without it the log loss finds the density; with so much of it the energy is "
        "flat wherever there are data, and the density is lost.",
    ),
    "Adversarial": shown(
        adversarial,
        lined,
        _READ + "Orange dots below are the generator's draws. The critic of this game tells data "
        "from draws; it goes flat where both agree, and is no -log p: its NLL says so.",
    ),
}
