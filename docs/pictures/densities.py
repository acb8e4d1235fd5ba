"""Methods that learn the density of points."""

import torch
from torch import Tensor

from ebmlab import Energy, Method, energies, fit, methods, samplers
from ebmlab.partition import nodes
from ebmlab.training import Stepping, falling_cosine
from ebmlab.types import Potential
from pictures.exhibit import shown
from pictures.planes import of_density, of_method
from pictures.toys import moons

FALLS = Stepping(schedule=falling_cosine)


def held(y: Tensor) -> Energy:
    """A network and the Gaussian of the data, which bounds the energy far away."""
    return energies.MLP(2) + energies.Gaussian(y.mean(0), y.T.cov())


@shown(
    of_method,
    "Exact likelihood: log Z is a sum over a grid of the plane, so that the energy "
    "in the middle is −log p itself, up to a constant. Both moons have their weight and width.",
)
def likelihood() -> Method:
    y = moons()
    corner = torch.full((2,), 4.0)
    method = methods.likelihood(energies.MLP(2), *nodes(-corner, corner, 48))
    fit(method, (None, y), steps=700, lr=1e-2, stepping=FALLS)
    return method


@shown(
    of_density,
    "Data are told from draws of known noise, Gaussians around 64 of the data. The "
    "energy is normalized without any log Z; far from the noise nothing holds it.",
)
def nce() -> Energy:
    y = moons()
    noise = energies.GaussianMixture(y[:64], 0.7)
    method = methods.nce(energies.MLP(2), noise)
    fit(method, (None, y), steps=800, lr=1e-2, stepping=FALLS)
    return method.energy


@shown(
    of_density,
    "InfoNCE against four draws of known noise learns −log p / q. The network alone "
    "is −log p up to a constant, since the noise's energy stands beside it.",
)
def noise_contrastive() -> Potential:
    y = moons()
    noise = energies.GaussianMixture(y[:64], 0.7)
    network = energies.MLP(2)
    method = methods.noise_contrastive(network + (-1.0) * noise, noise, k=4)
    fit(method, (None, y), steps=800, lr=1e-2, stepping=FALLS)
    return network.given()


@shown(
    of_method,
    "Each datum is told from its own blurred copies, of σ = 0.5. Near the data the energy "
    "is −log p up to a constant; the data's Gaussian holds it far away.",
)
def conditional_nce() -> Method:
    y = moons()
    method = methods.conditional_nce(held(y), sigma=0.5, k=4)
    fit(method, (None, y), steps=800, lr=1e-2, stepping=FALLS)
    return method


@shown(
    of_method,
    "Data lie lower than what a step of noise there and back makes of them. No slopes and "
    "no chains are needed.",
)
def energy_discrepancy() -> Method:
    y = moons()
    method = methods.energy_discrepancy(held(y), negatives=8)
    fit(method, (None, y), steps=800, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_method,
    "The slope of the energy at noisy points leads back to the data. The moons are "
    "those of the data blurred by σ = 0.15: wider than the true ones.",
)
def denoising_score() -> Method:
    y = moons()
    method = methods.denoising_score(held(y), sigma=0.15)
    fit(method, (None, y), steps=1000, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_method,
    "The slope at the data and the curvature there are all that is asked. Where no data "
    "are, between the moons and beyond them, heights are hardly determined.",
)
def exact_score() -> Method:
    y = moons()
    method = methods.exact_score(held(y))
    fit(method, (None, y), steps=700, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_method,
    "As exact_score, with curvatures along four random directions instead of all: "
    "noisier, and as cheap in a thousand dimensions.",
)
def sliced_score() -> Method:
    y = moons()
    method = methods.sliced_score(held(y))
    fit(method, (None, y), steps=700, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_density,
    "One energy for all noise levels, shown at the lowest, σ = 0.07. Slopes in y "
    "and in σ tie the levels together, so that moons get their weights.",
)
def multi_scale_score() -> Potential:
    y = moons()
    energy = energies.MLP(2, x_dim=1)
    method = methods.multi_scale_score(energy, low=0.07, high=0.7)
    fit(method, (None, y), steps=800, lr=1e-2, stepping=FALLS)
    return energy.given(torch.full((1,), 0.07))


@shown(
    of_density,
    "Far from the data the energy is a flow from noise, near them a density "
    "exp(−E / T). Shown is E / T with T = 0.3.",
)
def energy_matching() -> Potential:
    y = moons()
    energy = energies.MLP(2)
    method = methods.energy_matching(energy, temperature=0.3)
    fit(method, (None, y), steps=800, lr=1e-2, stepping=FALLS)
    return (energy / 0.3).given()


@shown(
    of_method,
    "Slopes lead from noise to the data and end there. This energy is no −log p, and its "
    "nats and draws are poor: it is made to be descended, not to be a density.",
)
def equilibrium_matching() -> Method:
    y = moons()
    method = methods.equilibrium_matching(energies.MLP(2))
    fit(method, (None, y), steps=800, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_method,
    "Negatives are chains of five MALA steps that start at the data. The moons come out, "
    "in 400 steps, with a valley left where chains seldom come; the nats say by how much.",
)
def contrastive_divergence() -> Method:
    y = moons()
    method = methods.contrastive_divergence(held(y), samplers.MALA(0.03), steps=5)
    fit(method, (None, y), steps=400, lr=1e-2, stepping=FALLS)
    return method


@shown(
    of_method,
    "Negatives are chains that last, here elliptical slices of the data's Gaussian, which "
    "leap from moon to moon: both moons get their weight, and no valley is left far from "
    "the data.",
)
def persistent_cd() -> Method:
    y = moons()
    normal = energies.Gaussian(y.mean(0), y.T.cov())
    leaps = samplers.EllipticalSlice(samplers.Dense(normal.scale), normal.mean)
    method = methods.persistent_cd(held(y), y[:256], leaps, steps=1, rebirth=0.0)
    fit(method, (None, y), steps=700, lr=1e-2, stepping=FALLS)
    return method


@shown(of_method, "Lasting chains as in persistent_cd, whose last step learns to reach the model.")
def improved_cd() -> Method:
    y = moons()
    normal = energies.Gaussian(y.mean(0), y.T.cov())
    leaps = samplers.EllipticalSlice(samplers.Dense(normal.scale), normal.mean)
    method = methods.improved_cd(held(y), y[:256], leaps, steps=1, rebirth=0.0)
    fit(method, (None, y), steps=700, lr=1e-2, stepping=FALLS)
    return method


@shown(
    of_method,
    "Langevin chains of a pool are the negatives. The weight α on E² holds energies near "
    "0, and the chains are short: the floor of the moons is uneven, and the density worse "
    "than by a kernel that rejects.",
)
def igebm() -> Method:
    y = moons()
    method = methods.igebm(held(y), y[:512], samplers.Langevin(0.01), steps=10, alpha=0.01)
    fit(method, (None, y), steps=400, lr=1e-2, stepping=FALLS)
    return method


@shown(
    of_method,
    "Noisy data are led back by ten MALA steps that know the noisy point. Chains can be "
    "short, since each has only noise of σ = 0.5 to undo.",
)
def recovery_likelihood() -> Method:
    y = moons()
    method = methods.recovery_likelihood(held(y), 0.5, steps=10)
    fit(method, (None, y), steps=500, lr=1e-2, stepping=FALLS)
    return method
