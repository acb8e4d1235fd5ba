# %% [markdown]
# # Composing energies
#
# **Question: two energies are trained apart. Do *and*, *or*, *not* and *given* of them need training?**
#
# No: energies add. What they need is care with constants, with walls, and with noise.

# %% The data first: points of a ring, and of a bar across it; both densities are known
from pathlib import Path

import torch

import ebmlab
from ebmlab import energies, methods, plot
from ebmlab.energies import Constant, Gaussian, Mixture
from ebmlab.partition import quadrature, trapezoid
from ebmlab.samplers import MALA, ParallelTempering

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
HALF, CHAINS = 4.0, 200
torch.manual_seed(0)
rng = torch.Generator().manual_seed(0)
true_ring = energies.Ring(2.0, 0.25)
true_bar = Gaussian(torch.zeros(2), torch.tensor([[1.5, 0.0], [0.0, 0.09]]))
corner = torch.full((2,), HALF)
box = energies.Uniform(-corner, corner)

# %% [markdown]
# ## Each energy is trained once
#
# Against uniform noise in the box, InfoNCE's best energy is E = -log p + c, with *any* c: a constant
# changes no loss. Outside the box nothing was learned; the box's energy, +∞ there, keeps chains in.


# %%
def trained(density: energies.Density) -> ebmlab.Energy:
    method = methods.noise_contrastive(energies.MLP(2, hidden=(64, 64)), box, k=4)
    how = {"steps": 700, "lr": 1e-2, "schedule": ebmlab.training.falling_cosine}
    ebmlab.fit(method, (None, density.sample(20_000, rng)), rng=rng, progress=False, **how)
    return method.energy.requires_grad_(False)


ring, bar = trained(true_ring), trained(true_bar)

# %% [markdown]
# ## Composed without training, and where the naive way fails
#
# **Or**, exp(-E) = ½exp(-E₁) + ½exp(-E₂), gives each part the mass ½Z, and training left Z anywhere.
# We add 3 to the bar's energy, which no loss would notice, and the bar is gone. The cure: level the
# energies by `Constant(log Z)`. **Not**, E₁ - E₂, follows E₂ upwards: the true bar's energy rises
# without bound, and pulls the ring apart; the network's levels off where it saw no bar, and the two
# disagree. The cure: bound what is negated, by a mixture with a constant.


# %%
def level(energy: ebmlab.Energy) -> ebmlab.Energy:
    estimate = quadrature(energy.given(), -corner, corner, rule=trapezoid)
    return energy + Constant(float(estimate.log_z)).requires_grad_(False)


seen = ebmlab.FunctionEnergy(lambda y: (y[:, 0] - 1.0) ** 2 / (2 * 0.2**2))
COMPOSED = {
    "ring": lambda ring, bar: ring,
    "bar": lambda ring, bar: bar,
    "ring and bar": lambda ring, bar: ring + bar,
    "ring or bar": lambda ring, bar: Mixture(level(ring), level(bar)),
    "naive: or": lambda ring, bar: Mixture(level(ring), level(bar) + Constant(3.0)),
    "ring, given $y_1$ ≈ 1": lambda ring, bar: ring + seen,
    "ring, $T$ = 4": lambda ring, bar: ring / 4.0,
    "ring, not bar": lambda ring, bar: ring - 2.0 * Mixture(level(bar), Constant(4.0)),
    "naive: not": lambda ring, bar: ring - 0.5 * bar,
}


# %% The distance of each from the same of the true densities; chains by tempering
def shares(energy: ebmlab.Energy) -> torch.Tensor:
    axis = torch.linspace(-HALF, HALF, 200)
    with torch.no_grad():
        return (-energy(None, torch.cartesian_prod(axis, axis))).double().softmax(0)


kernel = ParallelTempering(lambda t: MALA(0.02 * t), (1, 4, 16))
fields, samples, off = [], {}, {}
for name, compose in COMPOSED.items():
    energy, exact = compose(ring, bar), compose(true_ring, true_bar)
    off[name] = 0.5 * float((shares(energy) - shares(exact)).abs().sum())
    u, start = (energy + box).given(), box.sample(CHAINS, rng)
    samples[name] = ebmlab.run(kernel, u, start, steps=120, rng=rng).state.y
    fields.append(ebmlab.landscape(energy.given(), ebmlab.Plane.xy(), -HALF, HALF, resolution=80))
    print(f"{name:22} total variation from the exact one {off[name]:.3f}")
titles = [f"{name}, off by {tv:.2f}" for name, tv in off.items()]
how = {"columns": 3, "limits": (0.0, 12.0), "xlabel": "$y_1$", "ylabel": "$y_2$"}
figure = plot.landscapes(fields, titles, samples=list(samples.values()), **how)
figure.savefig(FIGURES / "15_composed.png")

# %% [markdown]
# ## Clamp a coordinate, and why blurred scores do not compose
#
# Given y₂ = 1 exactly, the potential of y₁ is the same energy with y₂ filled in. And a product of
# Gaussians is Gaussian: N(0, 1)·N(2, 1) ∝ N(1, ½). But diffusion models hold the scores of *blurred*
# densities, and the blur of a product is not the product of blurs: here ½ + s² against ½(1 + s²).
# Their sum is no path of densities; at each noise level one must sample it by chains, or not add.

# %%
clamped = lambda y: ring(None, torch.stack([y[:, 0], torch.ones(len(y))], 1))  # noqa: E731
start = torch.cat([-torch.ones(CHAINS, 1), torch.ones(CHAINS, 1)])
edges = ebmlab.run(MALA(0.02), clamped, start, steps=100, rng=rng).state.y
one, two, s2 = Gaussian(torch.zeros(1), torch.eye(1)), Gaussian(2 + torch.zeros(1), torch.eye(1)), 1.0
both = ebmlab.run(MALA(0.5), (one + two).given(), torch.zeros(4000, 1), steps=40, rng=rng).state.y
blurred = [Gaussian(g.mean, g.scale @ g.scale.mT + s2 * torch.eye(1)) for g in (one, two)]
naive = ebmlab.run(MALA(1.0), sum(blurred[1:], blurred[0]).given(), both, steps=40, rng=rng).state.y
print(f"y1 given y2 = 1: ±{float(edges.abs().mean()):.2f}, exact ±{3**0.5:.2f}")
print(f"variance of the product {float(both.var()):.2f}, exact 0.5; of blurs {float(naive.var()):.2f}")

# %% The claim: compositions are as good as their parts, where constants and walls are minded
assert max(off[name] for name in off if name != "naive: not") < 0.15
assert off["naive: not"] > 0.4
inside = {name: (y[:, 1].abs() < 0.7) & (y[:, 0].abs() < 1.3) for name, y in samples.items()}
assert 0.2 < inside["ring or bar"].float().mean() < 0.5 and inside["naive: or"].float().mean() < 0.1
assert inside["ring and bar"].float().mean() < 0.05 < 0.95 < (samples["ring and bar"].norm(dim=1) > 1.3).float().mean()
assert float((edges.abs().mean() - 3**0.5).abs()) < 0.1
assert abs(float(both.var()) - 0.5) < 0.06 and abs(float(naive.var()) - (0.5 + s2)) > 0.3
