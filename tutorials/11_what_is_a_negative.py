# %% [markdown]
# # What is a negative?
#
# **Question: a contrastive loss pushes the energy down at the data and up at negatives. Which points
# should these be, and what is left low where there are none?**

# %% The data first: y lies on the arm that x names, one of five
import math
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

import ebmlab
from ebmlab import data, energies, losses, negatives, objectives, plot
from ebmlab.samplers import Langevin, run

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
SEED, ARMS, STEPS, EVERY, WINDOW = 0, 5, 400, 50, 3.0
rng = torch.Generator().manual_seed(SEED)
arm = data.toys.Pinwheel(arms=1, tangential=0.2)  # of known density


def turned(y: Tensor, angle: Tensor) -> Tensor:
    rows = [angle.cos(), -angle.sin(), angle.sin(), angle.cos()]
    return torch.einsum("nij,nj->ni", torch.stack(rows, -1).reshape(-1, 2, 2), y)


which = torch.randint(ARMS, (4000,), generator=rng)
x, y = torch.eye(ARMS)[which], turned(arm(4000, rng), 2 * math.pi * which / ARMS)
own = y[which == 0]

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


def low(u: ebmlab.types.Potential) -> tuple[ebmlab.slices.Landscape, float]:
    """The landscape, and the share of it as low as 95 % of the right answers."""
    field = ebmlab.landscape(u, ebmlab.Plane.xy(), -WINDOW, WINDOW, resolution=80)
    return field, float((field.energy <= u(own).quantile(0.95)).float().mean())
