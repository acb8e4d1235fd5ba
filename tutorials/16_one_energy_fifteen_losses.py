# %% [markdown]
# # One energy, fifteen losses
#
# **Question: the same network sees the same points. What does each way of training make of them?**
#
# All of them push the energy down on the data. They differ in what keeps it up elsewhere: exact
# log Z, noise of a known density, perturbed data, the model's own chains, or curvature. The plane
# is small enough to integrate, so that each landscape gets its exact likelihood.

# %% The data first: eight Gaussians; their entropy is the least that any NLL can be
from collections.abc import Callable
from pathlib import Path

import torch

from ebmlab import Energy, Method, data, energies, methods
from ebmlab.energies import MLP
from ebmlab.partition import nodes, trapezoid
from ebmlab.types import Potential

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
STEPS = 1000
rng = torch.Generator().manual_seed(0)
toy = data.toys.eight_gaussians
y, held_out = toy(50_000, rng), toy(10_000, rng)
entropy = -float(toy.log_density(held_out).mean())
half = torch.full((2,), 4.0)
pool = y[:1024]

# %% [markdown]
# ## What each needs
#
# Noise that covers the data, with a density: Gaussians around some of them. A base that holds the
# far field, which no chain visits: the Gaussian of the data's moments, added to the network.

# %%
noise = energies.GaussianMixture(y[:256], 0.4 * float(y.std(0).mean()))
base = energies.Gaussian(y.mean(0), y.T.cov())
values, log_weights = nodes(-1.5 * half, 1.5 * half, 64, trapezoid)


def net(x_dim: int = 0) -> Energy:
    """The same weights at the start for all."""
    torch.manual_seed(0)
    return MLP(2, x_dim=x_dim)


Recipe = Callable[[], Method]
recipes: dict[str, Recipe] = {
    "likelihood": lambda: methods.likelihood(net(), values, log_weights),
    "nce": lambda: methods.nce(net(), noise, k=4),
    "noise_contrastive": lambda: methods.noise_contrastive(net() + (-1.0) * noise, noise, k=8),
    "conditional_nce": lambda: methods.conditional_nce(net()),
    "energy_discrepancy": lambda: methods.energy_discrepancy(net()),
    "exact_score": lambda: methods.exact_score(net()),
    "sliced_score": lambda: methods.sliced_score(net()),
    "denoising_score": lambda: methods.denoising_score(net()),
    "multi_scale_score": lambda: methods.multi_scale_score(net(x_dim=1)),
    "energy_matching": lambda: methods.energy_matching(net()),
    "contrastive_divergence": lambda: methods.contrastive_divergence(net() + base),
    "persistent CD": lambda: methods.persistent_cd(net() + base, pool),
    "improved_cd": lambda: methods.improved_cd(net() + base, pool),
    "recovery_likelihood": lambda: methods.recovery_likelihood(net() + base),
    "most_offending": lambda: methods.most_offending(net()),
}


def model(name: str, method: Method) -> Potential:
    """What exp(-u) / Z of a trained method is the density of."""
    if name == "noise_contrastive":
        return (method.energy + noise).given()
    if name == "multi_scale_score":
        return method.energy.given(torch.full((1,), 0.05))
    return (method.energy / 0.1 if name == "energy_matching" else method.energy).given()
