# %% [markdown]
# # A world in thirty seconds
#
# **Question: films show a digit that somebody moves, and never say how. Can an energy find out
# what was done, and then do it: bring a digit to a place that it is only shown?**

# %% The data first: films of digits on a canvas whose edges meet, one of five moves between frames
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import ebmlab
from ebmlab import Method, data, inference, methods, metrics, networks, plot, prediction
from ebmlab.data.worlds import MovingDigits
from ebmlab.regularizers import VICReg

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
digits = data.digits()[0][torch.randperm(1797, generator=rng)]
world, unseen = MovingDigits(digits[:1500], 12, 4), MovingDigits(digits[1500:], 12, 4)
films, test = world.clips(3000, 5, rng), unseen.clips(500, 5, rng)
MOVES, STEPS = ["left", "right", "up", "down", "stay"], 4
captions = ["", *(MOVES[a] for a in test.actions[:3].reshape(3, 4).T.flatten())]
plot.images(test.frames[:3].flatten(0, 1), 5).figure.savefig(FIGURES / "24_films.png")

# %% [markdown]
# | | formula | in code |
# |---|---|---|
# | energy | E = ‖p(f(x_t), z) - f(x_{t+1})‖², p(h, z) = Σ_k z_k (A_k h + b_k) | `Operators` |
# | z | F = -T log mean_k exp(-E_k / T), one of five | `Enumerate` |
# | objective | mean F + VICReg of all codes + VICReg of what differs within a film | `world_model` |
# | what was done | argmin_z E(x_t, x_{t+1}, z) | `prediction.inverse` |
# | what to do | argmin_{z_1 … z_T} E(x_{T-1}, goal, z_T), x_t = p(x_{t-1}, z_t) | `prediction.plan` |
#
# ## The failure: codes that tell films apart need no z
#
# VICReg alone asks that codes vary over all moments. Which digit it is varies enough: where it is
# may leave the codes, and nothing is left for z to say.


# %%
def trained(regularizer: VICReg | None) -> tuple[Method, float]:
    torch.manual_seed(0)
    f = nn.Sequential(nn.Flatten(), networks.MLP(144, 32, (128, 128)))
    p, infer = networks.Operators(32, 5), inference.Enumerate(torch.eye(5))
    method = methods.world_model(f, p, infer, temperature=1.0, regularizer=regularizer)
    began = time.process_time()
    ebmlab.fit(
        method, films.pairs(), steps=600, batch_size=32, lr=3e-3, rng=rng, progress=False,
        schedule=ebmlab.training.falling_cosine,
    )  # fmt: skip
    return method.eval(), time.process_time() - began
