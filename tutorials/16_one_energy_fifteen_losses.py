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
from ebmlab.samplers import Dense, EllipticalSlice
from ebmlab.training import Stepping, falling_cosine
from ebmlab.types import Potential

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
toy = data.toys.eight_gaussians
y, held_out = toy(50_000, rng), toy(10_000, rng)
entropy = -float(toy.log_density(held_out).mean())
half = torch.full((2,), 4.0)

# %% [markdown]
# ## What each needs
#
# Noise that covers the data, with a density: Gaussians around some of them. For chains a base that
# holds the far field, which they do not visit: the Gaussian of the data, added to the network.
# Chains that last leap along its ellipses from mode to mode.

# %%
noise = energies.GaussianMixture(y[:64], 0.7 * float(y.std(0).mean()))
base = energies.Gaussian(y.mean(0), y.T.cov())
ellipses = {"pool": y[:256], "sampler": EllipticalSlice(Dense(base.scale), base.mean), "steps": 1}
grid = nodes(-1.5 * half, 1.5 * half, 64, trapezoid)


def net(x_dim: int = 0) -> Energy:
    """The same weights at the start for all."""
    torch.manual_seed(0)
    return MLP(2, x_dim=x_dim)


recipes: dict[str, Callable[[], Method]] = {
    "likelihood": lambda: methods.likelihood(net(), *grid),
    "nce": lambda: methods.nce(net(), noise),
    "noise_contrastive": lambda: methods.noise_contrastive(net() - noise, noise, k=4),
    "conditional_nce": lambda: methods.conditional_nce(net()),
    "energy_discrepancy": lambda: methods.energy_discrepancy(net()),
    "exact_score": lambda: methods.exact_score(net()),
    "sliced_score": lambda: methods.sliced_score(net()),
    "denoising_score": lambda: methods.denoising_score(net()),
    "multi_scale_score": lambda: methods.multi_scale_score(net(x_dim=1)),
    "energy_matching": lambda: methods.energy_matching(net()),
    "contrastive_divergence": lambda: methods.contrastive_divergence(net() + base),
    "persistent_cd": lambda: methods.persistent_cd(net() + base, rebirth=0.0, **ellipses),
    "improved_cd": lambda: methods.improved_cd(net() + base, rebirth=0.0, **ellipses),
    "recovery_likelihood": lambda: methods.recovery_likelihood(net() + base),
    "most_offending": lambda: methods.most_offending(net()),
}


def model(name: str, energy: Energy) -> Potential:
    """What exp(-u) / Z of a trained energy is the density of."""
    if name == "multi_scale_score":
        return energy.given(torch.full((1,), 0.07))
    if name == "noise_contrastive":
        return (energy + noise).given()
    return (energy / 0.3 if name == "energy_matching" else energy).given()


# %% The same steps for all; log Z over [-8, 8]², of what the energy says beside the data too
fields, nlls, titles = {}, {}, []
how = {"steps": 1000, "lr": 1e-2, "stepping": Stepping(falling_cosine), "rng": rng}
for name, recipe in recipes.items():
    method, begun = recipe(), time.process_time()
    ebmlab.fit(method, (None, y), **how)
    seconds, u = time.process_time() - begun, model(name, method.energy)
    log_z = quadrature(u, -2 * half, 2 * half, resolution=400, rule=trapezoid)
    nlls[name] = float(metrics.nll(u, held_out, log_z))
    fields[name] = ebmlab.landscape(u, ebmlab.Plane.xy(), -4.0, 4.0, resolution=100)
    titles.append(f"{name}\n{nlls[name]:.2f} nats, {seconds:.0f} s")
    print(f"{name:24} NLL {nlls[name]:7.3f}  {nlls[name] - entropy:6.3f} over the entropy")

# %% [markdown]
# ## What to see
#
# What compares data with noise, with perturbed data or with exact log Z gets the weights of the
# modes, each at its own pace: with 3,000 steps most come within 0.1 nats of the entropy. Score
# matching sees slopes only: how deep one mode lies beside another it has to guess, unless noise
# levels are tied. The hinge of `most_offending` makes no density: it stops at its margin.

# %%
axes = {"limits": (0.0, 12.0), "xlabel": "$y_1$", "ylabel": "$y_2$"}
figure = plot.landscapes(list(fields.values()), titles, columns=5, **axes)
figure.savefig(FIGURES / "16_fifteen_losses.png")

# %% Errors of the modes' weights, from the landscapes
errors = {}
for name, field in fields.items():
    places = torch.cartesian_prod(field.b, field.a).flip(1)
    found = metrics.mode_weights(places, torch.tensor(toy.means), energies=field.energy.flatten())
    errors[name] = float(found.error)
    print(f"{name:24} weights wrong by {errors[name]:.3f} at most")

# %% The claim: contrast with noise and with perturbed data finds the density and its weights
for name in ("likelihood", "conditional_nce", "energy_discrepancy"):
    assert nlls[name] < entropy + 0.2, name
    assert errors[name] < 0.06, name
assert errors["multi_scale_score"] < errors["denoising_score"]
assert nlls["most_offending"] > entropy + 0.5
