# %% [markdown]
# # Composing energies
#
# **Question: two energies are trained apart. Must *and*, *or*, *not* and *given* be trained too?**
#
# No: energies add. What they need is care with constants, with walls, and with noise.

# %% The data first: points of a ring, and of a bar across it; both densities are known
from pathlib import Path

import torch

import ebmlab
from ebmlab import energies, methods, plot, training
from ebmlab.energies import Constant, Gaussian, Mixture
from ebmlab.partition import quadrature, trapezoid
from ebmlab.samplers import MALA, ParallelTempering

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
HALF, rng = 4.0, torch.Generator().manual_seed(0)
torch.manual_seed(0)
true_ring = energies.Ring(2.0, 0.25)
true_bar = Gaussian(torch.zeros(2), torch.tensor([[1.5, 0.0], [0.0, 0.09]]))
box = energies.Uniform(torch.full((2,), -HALF), torch.full((2,), HALF))

# %% [markdown]
# ## Each energy is trained once
#
# Against uniform noise in the box, InfoNCE's best energy is E = -log p + c, with *any* c: a
# constant changes no loss. Outside nothing was learned; the box's energy, +∞, keeps chains in.


# %%
def trained(density: energies.Density) -> ebmlab.Energy:
    method = methods.noise_contrastive(energies.MLP(2, hidden=(64, 64)), box, k=4)
    how = {"lr": 1e-2, "stepping": training.Stepping(training.falling_cosine), "rng": rng}
    ebmlab.fit(method, (None, density.sample(20_000, rng)), steps=700, **how)
    return method.energy.requires_grad_(False)


ring, bar = trained(true_ring), trained(true_bar)

# %% [markdown]
# ## Composed without training, and where the naive way fails
#
# **Or**, exp(-E) = ½exp(-E₁) + ½exp(-E₂), gives each part the mass ½Z, and training left Z
# anywhere. We add 3 to the bar's energy, which no loss would notice, and the bar is gone. The
# cure: level energies by `Constant(log Z)`. **Not**, E₁ - E₂, follows E₂ upwards: that of the true
# bar rises without end and pulls the ring apart, the network's levels off where it saw no bar. The
# cure: bound what is negated, by a mixture with a constant.


# %%
def level(energy: ebmlab.Energy) -> ebmlab.Energy:
    estimate = quadrature(energy.given(), box.low, box.high, rule=trapezoid)
    return energy + Constant(float(estimate.log_z)).requires_grad_(False)


seen = ebmlab.FunctionEnergy(lambda y: (y[:, 0] - 1.0) ** 2 / (2 * 0.2**2))
COMPOSED = {
    "ring": lambda ring, bar: ring,
    "bar": lambda ring, bar: bar,
    "ring and bar": lambda ring, bar: ring + bar,
    "ring or bar": lambda ring, bar: Mixture(level(ring), level(bar)),
    "naive: or": lambda ring, bar: Mixture(level(ring), level(bar) + Constant(3.0)),
    "ring, $y_1$ ≈ 1": lambda ring, bar: ring + seen,
    "ring, $T$ = 4": lambda ring, bar: ring / 4.0,
    "ring, not bar": lambda ring, bar: ring - 2.0 * Mixture(level(bar), Constant(4.0)),
    "naive: not": lambda ring, bar: ring - 0.5 * bar,
}


# %% The distance of each from the same of the true densities; chains by tempering
def shares(energy: ebmlab.Energy) -> torch.Tensor:
    grid = torch.cartesian_prod(*torch.linspace(-HALF, HALF, 200).expand(2, -1))
    return (-energy(None, grid).detach().double()).softmax(0)


kernel = ParallelTempering(lambda t: MALA(0.02 * t), (1, 4, 16))
fields, samples, off = [], {}, {}
for name, compose in COMPOSED.items():
    meant = COMPOSED["ring or bar"] if name == "naive: or" else compose
    energy, exact = compose(ring, bar), meant(true_ring, true_bar)
    off[name] = 0.5 * float((shares(energy) - shares(exact)).abs().sum())
    u, start = (energy + box).given(), box.sample(200, rng)
    samples[name] = ebmlab.run(kernel, u, start, steps=120, rng=rng).state.y
    fields.append(ebmlab.landscape(energy.given(), ebmlab.Plane.xy(), -HALF, HALF, resolution=80))
    print(f"{name:22} total variation from the exact one {off[name]:.3f}")
titles = [f"{name}, off by {tv:.2f}" for name, tv in off.items()]
axes = {"columns": 3, "limits": (0.0, 12.0), "xlabel": "$y_1$", "ylabel": "$y_2$"}
figure = plot.landscapes(fields, titles, samples=[*samples.values()], **axes)
figure.savefig(FIGURES / "15_composed.png")

# %% [markdown]
# ## Clamp a coordinate, and why blurred scores do not compose
#
# Given y₂ = 1 exactly, the potential of y₁ is the same energy with y₂ filled in. And products of
# Gaussians are Gaussian: N(0, 1) · N(2, 1) ∝ N(1, ½). But diffusion models hold the scores of
# *blurred* densities, and the product of blurs, of variance ½(1 + s²), is not the blur of the
# product, ½ + s²: sums of such scores lead elsewhere, unless chains are run at each noise level.

# %%
potential = lambda y: ring(None, torch.cat([y, torch.ones_like(y)], 1))  # noqa: E731
zero, unit, variance = torch.zeros(4000, 1), torch.eye(1), {}
edges = ebmlab.run(MALA(0.02), potential, zero[:400], steps=200, rng=rng).state.y.abs().mean()
for s2 in (0.0, 1.0):
    product = Gaussian(zero[0], unit * (1 + s2)) + Gaussian(zero[0] + 2, unit * (1 + s2))
    draws = ebmlab.run(MALA(0.5), product.given(), zero, steps=40, rng=rng).state.y
    variance[s2] = float(draws.var())
    print(f"s² = {s2}: product of blurs {variance[s2]:.2f}, blur of the product {0.5 + s2:.2f}")

# %% The claim: compositions are as good as their parts, where constants and walls are minded
assert max(tv for name, tv in off.items() if "naive" not in name) < 0.15
assert min(off["naive: or"], off["naive: not"]) > 0.3
assert (samples["ring and bar"].abs() - torch.tensor([1.95, 0.0])).norm(dim=1).median() < 0.5
middle = {name: float((y.norm(dim=1) < 1.2).float().mean()) for name, y in samples.items()}
assert max(middle["ring, not bar"], middle["naive: or"]) < 0.12 < 0.15 < middle["ring or bar"]
assert abs(float(edges) - 3**0.5) < 0.1  # the ring at y₂ = 1
assert max(abs(variance[s2] - (1 + s2) / 2) for s2 in variance) < 0.1
