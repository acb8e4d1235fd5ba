# %% [markdown]
# # What is a negative?
#
# **Question: a contrastive loss pushes the energy down at the data and up at negatives. Which points
# should these be, and what is left low where there are none?**

# %% The data first: y lies on the arm that x names, one of five
import math
from pathlib import Path

import torch
from torch import Tensor

import ebmlab
from ebmlab import data, energies, losses, negatives, objectives, plot
from ebmlab.samplers import Langevin, run

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
SEED, ARMS, STEPS, WINDOW = 0, 5, 500, 3.0
rng = torch.Generator().manual_seed(SEED)
arm = data.toys.Pinwheel(arms=1, tangential=0.2)  # of known density


def turned(y: Tensor, angle: Tensor) -> Tensor:
    rows = [angle.cos(), -angle.sin(), angle.sin(), angle.cos()]
    return torch.einsum("nij,nj->ni", torch.stack(rows, -1).reshape(-1, 2, 2), y)


which = torch.randint(ARMS, (4000,), generator=rng)
x, y = torch.eye(ARMS)[which], turned(arm(4000, rng), 2 * math.pi * which / ARMS)
own = y[which == 0]
ax = plot.codes(y[:1000], which[:1000], names=("$y_1$", "$y_2$"), title="y, by its x")
ax.set_aspect("equal")
ax.figure.savefig(FIGURES / "11_data.png")

# %% [markdown]
# ## One energy, one loss, seven kinds of negatives
#
# E(x, y) is a network of x and y. The loss is InfoNCE, -log [e^-E+ / (e^-E+ + Σ e^-E-)], which lifts
# each negative by its share of the sum: the lower it lies, the more.
#
# | negatives of (x, y) | where they are | least of the loss |
# |---|---|---|
# | in batch | at the y of other pairs | E = -log p(y given x) / p(y) |
# | queue | at y of past batches | the same |
# | hard | at the 8 lowest of the batch | none: some of them are right answers |
# | Langevin from data | where 20 steps downhill and noise lead from y | what they do not leave |
# | Langevin from noise | where they lead from anywhere | about -log p(y given x) |
# | Langevin, kept | where they lead from where they were (x, y) | -log p(y given x) |
# | noise | anywhere in the window | -log p(y given x) |

# %%
box = energies.Uniform(-WINDOW * torch.ones(2), WINDOW * torch.ones(2))
walk, pool = Langevin(0.02), box.sample(1000, rng)
KINDS = {
    "in batch": negatives.InBatch(),
    "queue": negatives.Queue(128, 2),
    "hard": negatives.Hard(negatives.InBatch(), 8),
    "Langevin from data": negatives.FromData(walk, 20),
    "Langevin from noise": negatives.Replay(pool, walk, 20, rebirth=1.0, birth=box.sample),
    "Langevin, kept": negatives.Replay(pool, walk, 20, birth=box.sample),
    "noise": negatives.Noise(box, 16),
}


# %% The landscape at the first arm's x, and how much of e^-E lies where 1 % of the data do
truth = ebmlab.FunctionEnergy(lambda y: -arm.log_density(y), ("y",)).given()
rare = truth(arm(4000, rng)).quantile(0.99)


def seen(u: ebmlab.types.Potential) -> tuple[ebmlab.slices.Landscape, float]:
    field = ebmlab.landscape(u, ebmlab.Plane.xy(), -WINDOW, WINDOW, resolution=80)
    a, b = torch.meshgrid(field.a, field.b, indexing="xy")
    outside = truth(torch.stack([a, b], -1).reshape(-1, 2)).reshape(80, 80) > rare
    return field, float(field.density()[outside].sum() / field.density().sum())


def train(chosen: ebmlab.protocols.Negatives) -> ebmlab.types.Potential:
    torch.manual_seed(SEED)
    energy = energies.MLP(2, ARMS, (64, 64))
    method = ebmlab.Method(energy, objectives.Contrastive(losses.InfoNCE(1.0), chosen))
    how = {"batch_size": 64, "lr": 5e-3, "rng": rng, "progress": False}
    ebmlab.fit(method, (x, y), steps=STEPS, **how)
    return energy.given(torch.eye(ARMS)[:1])


trained = {name: train(chosen) for name, chosen in KINDS.items()}


# %% Where the negatives of the first arm's data lie, on the landscape that they made
def where(name: str, u: ebmlab.types.Potential) -> Tensor:
    others, anywhere = y[-150:], box.sample(150, rng)
    starts = {"Langevin from data": own[:150], "Langevin from noise": anywhere}
    starts["Langevin, kept"] = getattr(KINDS[name], "pool", others)[:150]
    if name in starts:
        return run(walk, u, starts[name], steps=20, rng=rng).state.y
    lowest = torch.cat([part[u(part).argsort()[:8]] for part in y[-504:].split(63)])
    return {"hard": lowest, "noise": anywhere}.get(name, others)


potentials = {"-log p(y given x)": truth} | trained
fields, shares = zip(*(seen(u) for u in potentials.values()), strict=True)
astray = dict(zip(potentials, shares, strict=True))
spots = [None] + [where(name, u) for name, u in trained.items()]
titles = [f"{name}\n{share:.0%} astray" for name, share in astray.items()]
how = {"limits": (0.0, 8.0), "xlabel": "$y_1$", "ylabel": "$y_2$", "columns": 4}
figure = plot.landscapes(fields, titles, data=own[:100], samples=spots, **how)
figure.savefig(FIGURES / "11_landscapes.png")

# %% [markdown]
# ## What stays low
#
# Along the ray from 0 through the middle of the arm, and on: negatives that are data of other x
# tell the arms apart, and say nothing of where no data are. There the energy goes on falling.

# %%
far = torch.linspace(0, 4, 81)
ray = far[:, None] * torch.nn.functional.normalize(own.mean(0), dim=0)
lines = {name: (u(ray) - u(own).mean()).detach() for name, u in potentials.items()}
ax = plot.curves(lines, far, xlabel="distance from 0", ylabel="energy above the arm's mean")
ax.axvspan(own.norm(dim=1).quantile(0.05), own.norm(dim=1).quantile(0.95), color="#eeeeee")
ax.set_ylim(-6, 12)
ax.figure.savefig(FIGURES / "11_ray.png")

# %% The claim: data as negatives leave holes, right answers as negatives leave nothing
print({name: round(share, 2) for name, share in astray.items()})
