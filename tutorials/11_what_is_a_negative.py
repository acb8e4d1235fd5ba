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
from ebmlab.training import Stepping

(FIGURES := Path("tutorials/figures")).mkdir(parents=True, exist_ok=True)
SEED, ARMS, STEPS, WINDOW = 0, 5, 700, 3.0
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
# ## One energy, seven kinds of negatives
# E(x, y) is a network. Negatives that are drawn without asking E take InfoNCE,
# -log [e^-E+ / (e^-E+ + Σ e^-E-)]. Chains, which walk downhill on E by themselves, take E+ - E-.
#
# | negatives of (x, y) | where they are | what is learned |
# |---|---|---|
# | in batch, queue | at the y of other pairs, past ones | -log p(y given x) / p(y) at data |
# | hard | at the 8 lowest y of the batch | nothing: they are right answers themselves |
# | Langevin from data | where 10 steps downhill and noise lead from y | about -log p |
# | Langevin from noise | where they lead from anywhere | a way to the data that is too narrow |
# | Langevin, kept | where they lead from where they were, under the same x | -log p(y given x) |
# | noise | anywhere in the window | -log p(y given x) |

# %%
box = energies.Uniform(-WINDOW * torch.ones(2), WINDOW * torch.ones(2))
walk, pool, own_x = Langevin(0.005), box.sample(500, rng), torch.eye(ARMS).repeat(100, 1)
KINDS = {
    "in batch": negatives.InBatch(),
    "queue": negatives.Queue(128, 2),
    "hard": negatives.Hard(negatives.InBatch(), 8),
    "Langevin from data": negatives.FromData(walk, 10),
    "Langevin from noise": negatives.Replay(pool, walk, 10, rebirth=1.0, birth=box.sample),
    "Langevin, kept": negatives.Replay(pool, walk, 10, birth=box.sample, x=own_x),
    "noise": negatives.Noise(box, 64),
}
SOON = dict.fromkeys(list(KINDS)[:3], 200)  # steps, all they need
WORDS = ("low where no y is",) * 2 + ("flat", "right", "too narrow", "right", "right")


# %% The landscape at the first arm's x, and how much of e^-E lies where 1 % of p does, and off p
truth = ebmlab.FunctionEnergy(lambda y: -arm.log_density(y), ("y",)).given()
rare = truth(arm(4000, rng)).quantile(0.99)


def seen(u: ebmlab.types.Potential) -> tuple[ebmlab.slices.Landscape, float, float]:
    field = ebmlab.landscape(u, ebmlab.Plane.xy(), -WINDOW, WINDOW, resolution=80)
    grid = torch.stack(torch.meshgrid(field.a, field.b, indexing="xy"), -1)
    e, q = truth(grid.reshape(-1, 2)).reshape(80, 80), field.density() / field.density().sum()
    p = (-e).exp() / (-e).exp().sum()
    return field, float(q[e > rare].sum()), float((p - q).abs().sum() / 2)


def train(name: str) -> ebmlab.types.Potential:
    torch.manual_seed(SEED)
    loss = losses.difference if "Langevin" in name else losses.InfoNCE(1.0)
    energy = energies.MLP(2, ARMS, (64, 64))
    method = ebmlab.Method(energy, objectives.Contrastive(loss, KINDS[name]))
    steps, late = SOON.get(name, STEPS), Stepping(lambda done: 1.0 if done < 0.7 else 0.1)
    ebmlab.fit(method, (x, y), steps=steps, batch_size=64, lr=1e-2, rng=rng, stepping=late)
    return energy.given(torch.eye(ARMS)[:1])


trained = {name: train(name) for name in KINDS}


# %% Where the negatives of the first arm's data lie, on the landscape that they made
def where(name: str, u: ebmlab.types.Potential) -> Tensor:
    beside, anywhere, kept = y[-504:], box.sample(150, rng), getattr(KINDS[name], "pool", pool)
    starts = {"from data": own[:150], "from noise": anywhere, "kept": kept[::ARMS]}
    if "Langevin" in name:
        return run(walk, u, starts[name[9:].strip()], steps=10, rng=rng).state.y
    lowest = torch.cat([part[u(part).argsort()[:8]] for part in beside.split(63)])
    return {"hard": lowest, "noise": anywhere}.get(name, beside[:150])


fields, *both = zip(*(seen(u) for u in (truth, *trained.values())), strict=True)
lost = dict(zip(trained, list(zip(*both, strict=True))[1:], strict=True))
spots = [None] + [where(name, u) for name, u in trained.items()]
how = {"limits": (0.0, 8.0), "xlabel": "$y_1$", "ylabel": "$y_2$", "columns": 4}
figure = plot.landscapes(fields, ["-log p(y | x)", *trained], data=own[:100], samples=spots, **how)
figure.axes[0].text(0, -2.7, "circles: data\ncrosses: negatives", ha="center", fontsize=9)
for ax, word, (astray, off) in zip(figure.axes[1:-1], WORDS, lost.values(), strict=True):
    words = f"{word}\n{astray:.0%} astray, {off:.0%} off"
    ax.text(0, -2.8, words, ha="center", bbox={"fc": "w", "ec": "none", "alpha": 0.8, "pad": 1.5})
figure.savefig(FIGURES / "11_landscapes.png")

# %% The claim: data as negatives leave holes, right answers nothing; what reaches there fills them
print({name: (round(a, 3), round(b, 3)) for name, (a, b) in lost.items()})
assert min(lost["in batch"][0], lost["queue"][0]) > 0.5
assert trained["hard"](pool).std() < 0.1
right = [lost[name] for name in ("Langevin from data", "Langevin, kept", "noise")]
assert all(astray < 0.1 and off < 0.35 for astray, off in right)
assert lost["Langevin from noise"][1] > 0.45
