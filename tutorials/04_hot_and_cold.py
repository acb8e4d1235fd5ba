# %% [markdown]
# # Hot and cold
#
# **Question: y ← y - ε∇E + N(0, s²) is Langevin dynamics. Of which law does it draw?**
#
# With noise √(2εT) ξ it draws from exp(-E / T) / Z. A noise of its own hides the temperature, but
# there is one: T = s² / 2ε.

# %% The data first: draws of exp(-E) / Z, E = ½‖y‖² + 0.8 Σ(1 - cos 4y), from a fine grid
from pathlib import Path

import torch

import ebmlab
from ebmlab import energies, plot
from ebmlab.samplers import MALA, Annealed, Langevin, geometric

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)


def ripples(y: torch.Tensor) -> torch.Tensor:
    return (0.5 * y.square() + 0.8 * (1 - (4 * y).cos())).sum(-1)


u = ebmlab.FunctionEnergy(ripples, variables=("y",)).given()
field = ebmlab.landscape(u, ebmlab.Plane.xy(), -5.0, 5.0, resolution=201)
p = field.density().flatten()
cells = p.multinomial(2000, replacement=True, generator=rng)
data = torch.stack([field.a[cells % 201], field.b[cells // 201]], 1)
mean_energy = float((p * field.energy.flatten()).sum() / p.sum())  # of the model, exactly

# %% [markdown]
# ## The failure: settings that are cold
#
# IGEBM walks with ε = 10 and s = 0.005, JEM with ε = 1 and s = 0.01. Other units of y change ε
# and s, but not T. Here ε must suit the landscape: it is 0.01, at their temperatures.

# %% Half of the chains start near the origin, half far from it
published = {"JEM": Langevin.from_noise(1.0, 0.01), "IGEBM": Langevin.from_noise(10.0, 0.005)}
hidden = {name: kernel.temperature for name, kernel in published.items()}
kernels = {name: Langevin(0.01, temperature=t) for name, t in hidden.items()}
kernels |= {"T = 1": Langevin(0.01, temperature=1.0), "MALA": MALA(0.05)}
uniform = 2 * torch.rand(600, 2, generator=rng) - 1
starts = torch.cat([uniform[:300], 4 * uniform[300:]])
ends = {name: ebmlab.run(k, u, starts, steps=700, rng=rng).state for name, k in kernels.items()}

# %% [markdown]
# Cold chains stay in the well of their start: they tell where they were put, not what is likely.
# Nor are they draws of exp(-E / T): at T = 5e-5 all of that is in the lowest well.
#
# What is computed from them means nothing. For exp(-βE) / Z the slope of log Z in β is -⟨E⟩, and
# summed over β it gives log Z; that of the mean log likelihood is ⟨E⟩ - ⟨E⟩_data. At β = 1 it is 0
# here, as the data are the model's own; ⟨E⟩ by cold chains makes it what their starts make it.

# %%
slope = {}
for name, end in ends.items():
    slope[name] = near, far = [float(e.mean() - mean_energy) for e in end.energy.split(300)]
    print(f"{name:6} slope of the likelihood: near starts {near:5.2f}, far starts {far:5.2f}")

# %% [markdown]
# ## The cure: state the temperature
#
# `Langevin(step_size, temperature=1.0)`: at T = 1, E is -log p up to a constant, in nats. What is
# left is the error of the step. On a Gaussian of unit variance, y' = (1 - ε) y + √(2εT) ξ has the
# variance T / (1 - ε/2). MALA, at T = 1, rejects the excess and is exact at every ε.

# %%
sizes, origin = torch.arange(0.1, 1.75, 0.1).tolist(), torch.zeros(4000, 2)
gauss = energies.Gaussian(origin[0], torch.eye(2)).given()
KINDS = {"Langevin, T = 1": Langevin, "MALA": MALA}
KINDS["Langevin, T = ½"] = lambda size: Langevin(size, temperature=0.5)
variances = {}
for name, kernel in KINDS.items():
    walks = [ebmlab.run(kernel(size), gauss, origin, steps=60, rng=rng) for size in sizes]
    variances[name] = torch.stack([walk.state.y.var() for walk in walks])
formula = 1 / (1 - torch.tensor(sizes) / 2)

# %% [markdown]
# ## What cold is good for: to find the minimum, after hot
#
# Descent, T = 0, stays in the well below its start. Cooled from T = 0.8 on, T(t) falling by equal
# ratios, chains cross while it is hot and settle, most of them in the lowest well.

# %%
corners = 3 * torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]).repeat(25, 1)
cooling = Annealed(lambda t: MALA(0.1 * t), geometric(0.8, 0.02, steps=1000))
descent = ebmlab.run(Langevin(0.01, temperature=0.0), u, corners, steps=200, rng=rng, thin=5)
cooled = ebmlab.run(cooling, u, corners, steps=1000, rng=rng, thin=5)
last = {"descent": descent.state.y, "annealed": cooled.state.y, "cold": ends["JEM"].y[300:]}
lowest = {name: float((y.abs() < 0.75).all(1).double().mean()) for name, y in last.items()}

# %% What chains see; the error of the step; descent and annealing
axes = {"xlabel": "$y_1$", "ylabel": "$y_2$", "limits": (0.0, 12.0)}
names = {"T = 1": "T = 1", **{name: f"{name}, T = {t:.3g}" for name, t in hidden.items()}}
dots = [data[:150], *(ends[name].y[300:450] for name in names)]
figure = plot.landscapes([field] * 4, ["data", *names.values()], samples=dots, **axes)
figure.savefig(FIGURES / "04_hot_and_cold.png")
law = 1 / (1 - (fine := torch.linspace(0.02, 1.72, 200)) / 2)
drawn = {"T / (1 - ε/2), T = 1": law, "exact: 1": law**0, "T / (1 - ε/2), T = ½": law / 2}
ax = plot.curves(drawn, fine, xlabel="step size ε", ylabel="variance of the chains (dots)")
for line, (name, dots) in zip(ax.lines[:3], variances.items(), strict=True):
    ax.plot(sizes, dots, "o", color=line.get_color(), markersize=4)
    ax.text(1.76, dots[-1], name, color=line.get_color(), va="center", fontsize=8)
ax.figure.savefig(FIGURES / "04_step_size.png")
titles = [f"{name}: {lowest[name]:.0%} in the lowest" for name in ("descent", "annealed")]
lines = [walk.samples[:, :4] for walk in (descent, cooled)]
plot.landscapes([field] * 2, titles, trajectories=lines, **axes).savefig(FIGURES / "04_cooled.png")

# %% The claim: cold chains know no law, a stated temperature does, and cooling finds the minimum
assert hidden == {"JEM": 5e-5, "IGEBM": 1.25e-6}
for name in hidden:
    assert slope[name][0] < -1 < 1 < slope[name][1], name
assert max(abs(each) for name in ("T = 1", "MALA") for each in slope[name]) < 0.5
laws = formula, formula**0, formula / 2
for measured, law in zip(variances.values(), laws, strict=True):
    torch.testing.assert_close(measured, law, rtol=0.08, atol=0.0)
assert max(lowest["cold"], lowest["descent"]) < 0.2 < 0.6 < lowest["annealed"]
