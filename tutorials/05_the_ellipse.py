# %% [markdown]
# # The ellipse
#
# **Question: y has two numbers and one cause, an angle z that nobody tells. What can be learned of
# it, and what does temperature change?**

# %% The data first: 24 points of y = (2 cos θ, 1.5 sin θ) + 0.05 ξ; θ is not among them
import math
from pathlib import Path

import torch
from matplotlib.figure import Figure

import ebmlab
from ebmlab import data, inference, methods, plot
from ebmlab.types import Potential

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
y = data.ellipse(24, torch.Generator().manual_seed(0))

# %% [markdown]
# ## The failure: no z
#
# Without a z the best prediction is the mean of y, the middle of the ellipse, where no y ever is.

# %%
without_z = (y - y.mean(0)).square().sum(1).mean()

# %% [markdown]
# ## The cure: E(y, z) = (y1 - w1 cos z)² + (y2 - w2 sin z)²
#
# For each y the energy is a curve over z, and its lowest z is the best guess of the angle.
# z is then minimized out, or averaged out at a temperature T = 1 / β:
#
# F∞(y) = min E(y, z) over z,   F_β(y) = -(1/β) log mean exp(-β E(y, z)) over z.
#
# Both are energies of y alone. The loss is their mean over the data, and w are two numbers.


# %%
def trained(temperature: float) -> ebmlab.Method:
    method = methods.ellipse(temperature)  # z on a grid of 48 angles; w starts at (1, 1)
    ebmlab.fit(method, (None, y), steps=40, optimizer=torch.optim.SGD(method.parameters(), lr=1.0))
    return method


models = {}
for name, temperature in (("zero temperature", 0.0), ("β = 1", 1.0)):
    models[f"{name}, untrained"] = methods.ellipse(temperature)
    models[f"{name}, trained"] = trained(temperature)
cold, warm = (models[f"{name}, trained"] for name in ("zero temperature", "β = 1"))
fields = [ebmlab.landscape(m.energy.given(), ebmlab.Plane.xy()) for m in models.values()]
how = {"columns": 2, "limits": (0.0, 4.0), "xlabel": "$y_1$", "ylabel": "$y_2$"}
figure = plot.landscapes(fields, list(models), **how)
angles = torch.linspace(0, 2 * math.pi, 400)[:, None]
for ax, model in zip(figure.axes, models.values(), strict=False):
    curve = model.energy.energy.decode(None, angles).detach()  # in the color of z
    plot.manifold(curve, angles, ax, data=y, words=True, colorbar=False)
figure.savefig(FIGURES / "05_landscapes.png")

# %% Energies over z of four data, their minima, and the weights q(z) = exp(-β E) / Σ of a fifth y
chosen = torch.cat([y[[3, 8, 11, 20]], torch.tensor([[0.5, 0.0]])])
over_z = torch.stack([cold.energy.energy.given(y=row)(angles).detach() for row in chosen])
left, right = Figure(figsize=(9.4, 3.0), layout="constrained").subplots(1, 2)
named = {f"y = ({y1:.1f}, {y2:.1f})": over_z[k] for k, (y1, y2) in enumerate(chosen[:4].tolist())}
plot.curves(named, angles[:, 0], left, xlabel="$z$", ylabel="$E(y, z)$")
left.scatter(angles[over_z[:4].argmin(1)], over_z[:4].amin(1), color="black", zorder=3)
left.set_ylim(-1, 22)
left.legend(loc="upper center", ncols=2, frameon=False, fontsize=8)
warmth = [0.1, 0.3, 1.0, 3.0, 10.0]
q = torch.stack([(-over_z[4] / t).softmax(0) * 400 / (2 * math.pi) for t in warmth])
plot.free_energy(angles[:, 0], q, warmth, right, xlabel="$z$").set(ylabel="$q(z)$ of y = (0.5, 0)")
right.figure.savefig(FIGURES / "05_over_z.png")

# %% Cross-sections of F at y1 = 0: the walls of T = 0 melt into one bowl
line, parts = torch.linspace(-3, 3, 301), (cold.energy.energy, cold.energy.infer)
places = torch.stack([0 * line, line], 1)
sections = [ebmlab.FreeEnergy(*parts, t)(None, places) for t in (0.0, *warmth)]
ax = plot.free_energy(line, torch.stack(sections), (0.0, *warmth), xlabel="$y_2$ at $y_1 = 0$")
ax.figure.savefig(FIGURES / "05_cross_sections.png")

# %% [markdown]
# ## How warm is too warm?
#
# At w = 0 the loss has no slope, and the curvature 1 - 2β E[y_i²] in w_i: alone, an axis unfolds
# at β = 1 / (2 E[y_i²]), here 0.25 and 0.444. But where w1 is open, the curvature in w2 is
# 2 E[s (1 - 2β y2²)], s = E_q[sin² z]: the second axis follows the first at 0.406 already.

# %% The best w at 81 β and infinitely many data, side by side: to train is to minimize, too
beta = torch.logspace(-1, 1, 81, dtype=torch.float64)[:, None]
z = inference.Circle().atoms(48, torch.float64)
circle = torch.cat([z.cos(), z.sin()], 1)
law = torch.tensor([2.0, 1.5]) * circle  # y at evenly spaced angles, without blur


def loss(w: torch.Tensor) -> torch.Tensor:
    e = (law[:, None] - w[:, None, None] * circle).square().sum(-1)  # (β, y, z)
    return -((-beta[..., None] * e).logsumexp(2) - math.log(48)).mean(1) / beta[:, 0]


w = inference.LBFGS(tolerance=1e-6).minimize(Potential(loss), 0 * beta + law[6:7]).argmin.abs()
best = {"best $|w_1|$": w[:, 0], "best $|w_2|$": w[:, 1]}
ax = plot.curves(best, beta[:, 0], xlabel="$\\beta = 1 / T$")
ax.set_xscale("log")
opens = {(0.25, 0.7): "$w_1$ opens: 0.25", (0.406, 0.6): "$w_2$ opens: 0.406"}
for (at, height), words in {**opens, (0.444, 1.75): "alone: 0.444"}.items():
    ax.axvline(at, color="gray", linewidth=0.8, linestyle=":")
    ax.text(at, height, words, rotation=90, fontsize=7, ha="right", va="center")
ax.figure.savefig(FIGURES / "05_bifurcation.png")

# %% The claim: cold training finds the radii, warmth shrinks them, and axes fold where predicted
with torch.no_grad():
    assert cold.energy(None, y).mean() < 0.01 < 2 < without_z
for model, right_w in ((cold, [2.0, 1.5]), (warm, [1.81, 1.34])):
    found = model.get_parameter("energy.energy.decoder.w").detach().abs()
    torch.testing.assert_close(found, torch.tensor(right_w), atol=0.1, rtol=0)
for axis, threshold in ((0, 0.25), (1, 0.406)):
    closed = beta[:, 0] < threshold
    assert w[closed, axis].max() < 1e-2 < 0.1 < w[~closed, axis].min()
