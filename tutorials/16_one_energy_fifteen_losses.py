# %% [markdown]
# # One energy, fifteen losses
#
# **Question: the same network sees the same points. What does each way of training make of them?**
#
# All of them push the energy down on the data. They differ in what keeps it up elsewhere: exact
# log Z, noise of a known density, perturbed data, the model's own chains, or curvature. The plane
# is small enough to integrate, so that each landscape gets its exact likelihood.

# %% The data first: eight Gaussians; their entropy is the least that any NLL can be
import time
from collections.abc import Callable
from pathlib import Path

import torch

import ebmlab
from ebmlab import Energy, Method, data, energies, methods, metrics, plot
from ebmlab.energies import MLP
from ebmlab.partition import nodes, quadrature, trapezoid
from ebmlab.training import falling_cosine
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


# %% The same steps for all; log Z over [-8, 8]², of what the energy says beside the data too
fields, nlls, seconds, titles = {}, {}, {}, []
plane = ebmlab.Plane.xy()
for name, recipe in recipes.items():
    method, begun = recipe(), time.process_time()
    how = {"lr": 1e-2, "schedule": falling_cosine, "rng": rng, "progress": False}
    ebmlab.fit(method, (None, y), steps=STEPS, **how)
    seconds[name] = time.process_time() - begun
    u = model(name, method)
    log_z = quadrature(u, -2 * half, 2 * half, resolution=400, rule=trapezoid)
    nlls[name] = float(metrics.nll(u, held_out, log_z))
    fields[name] = ebmlab.landscape(u, plane, -4.0, 4.0, resolution=100)
    titles.append(f"{name}\n{nlls[name] - entropy:.3f} over, {seconds[name]:.0f} s")
    print(f"{name:24} NLL {nlls[name]:7.3f}  {nlls[name] - entropy:6.3f} over the entropy")

# %% [markdown]
# ## What to see
#
# Below -log p = 12 nothing but data should be blue. Exact likelihood is the yardstick. Losses that
# compare data with noise or with perturbed data come next to it, at the cost of a few forward
# passes. Score matching sees slopes only: how deep one mode lies beside another it has to guess,
# unless noise levels tie them. Chains cost the most. The hinge of `most_offending` makes no
# density: it stops once wrong answers are a margin above.

# %%
limits, axes = (0.0, 12.0), {"xlabel": "$y_1$", "ylabel": "$y_2$"}
figure = plot.landscapes(list(fields.values()), titles, columns=5, limits=limits, **axes)
figure.savefig(FIGURES / "16_fifteen_losses.png")


# %% Errors of the modes' weights, from the landscapes
def weight_error(name: str) -> float:
    field = fields[name]
    grid = torch.stack(torch.meshgrid(field.a, field.b, indexing="xy"), -1).reshape(-1, 2)
    means = torch.tensor(toy.means)
    return float(metrics.mode_weights(grid, means, energies=field.energy.flatten()).error)


errors = {name: weight_error(name) for name in recipes}
print(", ".join(f"{name} {error:.3f}" for name, error in errors.items()))

# %% The claim: contrast with noise and with perturbed data finds the density and its weights
for name in ("likelihood", "nce", "conditional_nce", "energy_discrepancy"):
    assert nlls[name] < entropy + 0.15, name
    assert errors[name] < 0.05, name
assert errors["multi_scale_score"] < errors["denoising_score"]
assert nlls["most_offending"] > entropy + 0.5
