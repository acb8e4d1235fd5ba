# %% [markdown]
# # Collapse and its cures
#
# **Question: a joint embedding makes E(x, y) = ‖f(x) - g(y)‖² low on the data. What keeps it from
# being low everywhere?**
#
# One architecture, six losses, the same landscape. Two of the losses are content with a flat
# energy, and get it. Four are not.

# %% The data first: x = y + 0.3 sin 2πy + noise, where one x has up to three right y
from dataclasses import replace
from pathlib import Path

import torch

import ebmlab
from ebmlab import data, energies, losses, metrics, networks, objectives, plot
from ebmlab.negatives import InBatch
from ebmlab.regularizers import VICReg

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
STEPS, EVERY, DIM = 600, 30, 4
relation = data.relations.inverse_sine
raw = relation(8192, torch.Generator().manual_seed(0))
x_scale, y_scale = (data.Standardizer.fit(t) for t in raw)
x, y = x_scale.apply(raw[0]), y_scale.apply(raw[1])

# %% [markdown]
# ## Six losses
#
# With E+ = E(x, y) and E- the energy of x with another y of the batch:
#
# | loss | formula | of a flat energy |
# |---|---|---|
# | energy | E+ | 0, its least: collapse |
# | perceptron | E+ - min(E+, E-) | 0, its least: collapse |
# | hinge | max(0, m + E+ - E-) | m: not content |
# | square-square | (E+)² + max(0, m - E-)² | m²: not content |
# | InfoNCE | -log softmax(-E) at E+ | log n: not content |
# | VICReg | E+ + variance + covariance of codes | the variance term objects |

# %%
LOSSES = {
    "energy loss": objectives.Regularized(),
    "perceptron": objectives.Contrastive(losses.perceptron, InBatch()),
    "hinge": objectives.Contrastive(losses.Hinge(1.0), InBatch()),
    "square-square": objectives.Contrastive(losses.SquareSquare(1.0), InBatch()),
    "InfoNCE": objectives.Contrastive(losses.InfoNCE(0.1), InBatch()),
    "VICReg": objectives.Regularized(VICReg(cov=5.0), energy_weight=25 / DIM),
}


# %% The same encoders from the same seed under each loss; the spread of the codes is watched
def train(objective: ebmlab.protocols.Objective) -> tuple[ebmlab.Energy, list[float]]:
    torch.manual_seed(0)
    f, g = networks.MLP(1, DIM, (64, 64)), networks.MLP(1, DIM, (64, 64))
    energy = energies.JointEmbedding(f, g, energies.SquaredDistance())
    method = ebmlab.Method(energy, objective, encoder=f)
    adam = torch.optim.AdamW(method.parameters(), lr=4e-3, weight_decay=0.0)
    how = {"steps": EVERY, "rng": torch.Generator().manual_seed(0), "batch_size": 128}
    spread = [metrics.code_std(f(x[:2000]))]
    for _ in range(STEPS // EVERY):
        ebmlab.fit(method, (x, y), optimizer=adam, **how)
        spread.append(metrics.code_std(f(x[:2000])))
    return energy, spread


trained = {name: train(objective) for name, objective in LOSSES.items()}

# %% [markdown]
# ## Does the energy know the answers?
#
# At 41 x in the middle there are three right y each. We count the local minima of E(x, ·) that
# are right answers, at the temperature that explains the data best.

# %%
grid = torch.linspace(-0.1, 1.1, 481)
middle = torch.linspace(0.45, 0.55, 41)
recall, temperature = {}, {}
with torch.no_grad():
    for name, (energy, _) in trained.items():
        seen = y_scale.apply(grid[:, None])[:, 0]
        rows = metrics.grid_energies(energy, x[:2000], seen)
        t = metrics.fit_temperature(rows, grid, energy(x[:2000], y[:2000]))
        rows = metrics.grid_energies(energy, x_scale.apply(middle[:, None]), seen)
        found = metrics.branch_matches(rows, grid, relation.branches(middle), t)
        recall[name], temperature[name] = found.recall, t

# %% Energies above the lowest at the same x (flat ones in VICReg's unit); the spread of the codes
mean, std = torch.cat([x_scale.mean, y_scale.mean]), torch.cat([x_scale.std, y_scale.std])
fields = []
for name, (energy, _) in trained.items():
    unit = temperature[name if recall[name] > 0.5 else "VICReg"]
    u = ebmlab.slices.over_pairs(energy / unit)
    seen_u = ebmlab.types.Potential(lambda p, u=u: u((p - mean) / std))
    field = ebmlab.landscape(seen_u, ebmlab.Plane.xy(), lo=-0.1, hi=1.1)
    fields.append(replace(field, energy=field.energy - field.energy.amin(0)))  # x is given
points = torch.cat(raw, dim=1)[:200]
how = {"columns": 3, "limits": (0.0, 12.0), "xlabel": "x", "ylabel": "y"}
figure = plot.landscapes(fields, list(trained), data=points, **how)
for ax, name in zip(figure.axes, trained, strict=False):
    flat, found = recall[name] < 0.5, f"{recall[name]:.0%} of the\nanswers found"
    words = ("flat: any y will do\n" if flat else "") + found
    ax.text(-0.05, 1.05, words, color="white" if flat else "black", va="top", fontsize=7)
figure.savefig(FIGURES / "02_landscapes.png")
spreads = {name: torch.tensor(spread) for name, (_, spread) in trained.items()}
steps = torch.arange(0, STEPS + 1, EVERY)
ax = plot.curves(spreads, steps=steps, xlabel="step", ylabel="std of the codes", logy=True)
ax.figure.savefig(FIGURES / "02_spread.png")

# %% The claim: two losses let the codes shrink and know no branch, four find all of them
for name in ("energy loss", "perceptron"):
    assert spreads[name][-1] < 0.5 * spreads[name][0], name
    assert recall[name] < 0.5, name
assert spreads["energy loss"][-1] < 0.05 * spreads["energy loss"][0]
for name in ("hinge", "square-square", "InfoNCE", "VICReg"):
    assert spreads[name][-1] > 5 * spreads[name][0], name
    assert recall[name] > 0.9, name
