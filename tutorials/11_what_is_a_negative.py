# %% [markdown]
# # What is a negative?
#
# **Question: a contrastive loss pushes the energy down at data and up at negatives. Which points
# should these be, and what stays low where there are none?**

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
    a, b = y.T
    return torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], 1)


which = torch.randint(ARMS, (4000,), generator=rng)
x, y = torch.eye(ARMS)[which], turned(arm(4000, rng), 2 * math.pi * which / ARMS)
own = y[which == 0]
ax = plot.codes(y[:1000], which[:1000], names=("$y_1$", "$y_2$"), title="y, by its x")
ax.set_aspect("equal")
ax.figure.savefig(FIGURES / "11_data.png")

# %% [markdown]
# ## One energy, one loss, seven kinds of negatives
#
# E(x, y) is a network. The loss is InfoNCE, -log [e^-E+ / (e^-E+ + Σ e^-E-)], which pushes each
# negative up by its share of the sum: the lower it lies, the more.
#
# | negatives of (x, y) | where they are | what is learned |
# |---|---|---|
# | in batch | at the y of other pairs | E = -log p(y given x) / p(y) |
# | queue | at y of past batches | the same |
# | hard | at the 8 lowest y of the batch | nothing: they are right answers themselves |
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
    how = {"batch_size": 64, "lr": 5e-3, "rng": rng}
    ebmlab.fit(method, (x, y), steps=STEPS, **how)
    return energy.given(torch.eye(ARMS)[:1])


trained = {name: train(chosen) for name, chosen in KINDS.items()}


# %% Where the negatives of the first arm's data lie, on the landscape that they made
def where(name: str, u: ebmlab.types.Potential) -> Tensor:
    others, anywhere, kept = y[-504:], box.sample(150, rng), getattr(KINDS[name], "pool", pool)
    starts = {"from data": own[:150], "from noise": anywhere, "kept": kept[:150]}
    if "Langevin" in name:
        return run(walk, u, starts[name[9:].strip()], steps=20, rng=rng).state.y
    lowest = torch.cat([part[u(part).argsort()[:8]] for part in others.split(63)])
    return {"hard": lowest, "noise": anywhere}.get(name, others[:150])


potentials = {"-log p(y given x)": truth} | trained
fields, shares = zip(*(seen(u) for u in potentials.values()), strict=True)
astray = dict(zip(potentials, shares, strict=True))
spots = [None] + [where(name, u) for name, u in trained.items()]
titles = [f"{name}\n{share:.0%} astray" for name, share in astray.items()]
how = {"limits": (0.0, 8.0), "xlabel": "$y_1$", "ylabel": "$y_2$", "columns": 4}
figure = plot.landscapes(fields, titles, data=own[:100], samples=spots, **how)
figure.savefig(FIGURES / "11_landscapes.png")

# %% The claim: data as negatives leave holes, right answers nothing; what reaches there fills them
print({name: round(share, 2) for name, share in astray.items()})
assert min(astray["in batch"], astray["queue"]) > 0.6
assert trained["hard"](pool).std() < 0.1
assert max(share for name, share in astray.items() if "Langevin" in name) < 0.6
assert astray["noise"] < 0.35
