# %% [markdown]
# # The hypothesis
#
# **Question: a method without negatives can be given a latent variable z. Does z live, and does it
# mean anything?**

# %% The data first: digits at any angle, turned by one of three actions that no model sees
import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

import ebmlab
from ebmlab import data, methods, metrics, networks, plot, training
from ebmlab.regularizers import VICReg

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
if "EBMLAB_DATA" in os.environ:  # MNIST where its files are, else scikit-learn's digits
    pictures = avg_pool2d(data.mnist("train")[0][:10_000], 2)
else:
    pictures = nn.functional.pad(data.digits()[0], (2, 2, 2, 2))
DIM, PIXELS = 32, pictures[0].numel()
world = data.worlds.TurningDigits(pictures)
rng = torch.Generator().manual_seed(0)
moves = world.moves(20_000, rng)
sheet = torch.cat([moves.x[:8], moves.y[:8]])
plot.images(sheet, 8, sides=["x", "y"]).figure.savefig(FIGURES / "23_data.png")

# %% [markdown]
# ## The failure: z dies, or names something else for each x
#
# | | formula | in code |
# |---|---|---|
# | energy | E(x, y, z) = ‖p(f(x), z) - f(y)‖² | `methods.jepa` |
# | free energy | F = -T log mean_z exp(-E / T) | its `temperature` |
# | population | variance and covariance of all codes | `VICReg()` |
# | *within* a pair | the same of √2 (h - mean of its pair) | `Within(VICReg())` |
# | network | p = MLP([h, z]) | `networks.Conditional` |
# | *operators* | p = Σ_k z_k (A_k h + b_k) | `networks.Operators` |
#
# VICReg asks that codes spread. It does not ask *over what*: codes that tell digits apart and
# forget the angle are predicted without z. So there are cures: keep what differs within a pair
# (else there is nothing for z to explain), let z do the same to every x (else z names y and means
# something else for each x), and begin warm (else two actions may share one z).


# %%
def trained(name: str) -> ebmlab.Method:
    torch.manual_seed(0)
    f = nn.Sequential(nn.Flatten(), networks.MLP(PIXELS, DIM, (128, 128)))
    p = networks.Conditional(networks.MLP(DIM + 3, DIM, (128,))) if "network" in name else None
    r = None if "within" in name else VICReg()
    method = methods.jepa(f, DIM, 3, predictor=p, regularizer=r, x_ndim=3)
    more = {"batch_size": 256, "lr": 3e-3, "stepping": training.Stepping(training.falling_cosine)}
    ebmlab.fit(method, (moves.x, moves.y), steps=400, rng=rng, **more)
    return method.eval()


# %% Nats of z: all that it carries, those that it shares with the action, and the same for each x
start = world.start(100, rng).repeat_interleave(20, 0)
action, which = world.act(len(start), rng), torch.arange(100).repeat_interleave(20)
x, y = world.render(start), world.render(world.step(start, action))


@torch.no_grad()
def judged(method: ebmlab.Method) -> dict[str, float]:
    q = metrics.assignments(method.energy, x, y)
    hx, hy = method.encode(x), method.encode(y)
    z = q.argmax(1)
    return {
        "KL": metrics.code_use(q).kl,
        "I(z; a)": metrics.mutual_information(z, action, rng=rng).nats,
        "I(z; a | x)": metrics.mutual_information(z, action, given=which, rng=rng).nats,
        "spread within": float(((hx - hy) / 2**0.5).std(0).mean()),
    }


ways = ("network", "operators", "network, within", "operators, within")
models = {name: trained(name) for name in ways}
table = {name: judged(model) for name, model in models.items()}
for name, row in table.items():
    print(f"{name:18}", "  ".join(f"{k} {v:.3f}" for k, v in row.items()))

# %% [markdown]
# ## What z means now
#
# From each x, every z: the picture whose code lies nearest to p(f(x), z), and to do it twice.

# %%
alive = models["operators, within"]
p, gallery = alive.energy.energy.head.decoder, moves.y[:5000]
with torch.no_grad():
    h, known = alive.encode(moves.x[:6]), alive.encode(gallery)
    twice = [p(p(h, z), z) for z in torch.eye(3)[:, None].expand(3, 6, 3)]
    once = [p(h, z) for z in torch.eye(3)[:, None].expand(3, 6, 3)]


def nearest(code: Tensor) -> Tensor:
    return gallery[torch.cdist(code, known).argmin(1)]


rows = [moves.x[:6], *map(nearest, once), *map(nearest, twice)]
sides = ["x", *(f"z = {k}" for k in range(3)), *(f"z = {k}, {k}" for k in range(3))]
plot.images(torch.cat(rows), 6, sides=sides).figure.savefig(FIGURES / "23_meaning.png")

# %% Nats against distortion: warmer z says less, and y is foretold worse
warmth = torch.logspace(-1, 4, 26).tolist()
curves = {n: metrics.rate_distortion(m.energy, x, y, warmth) for n, m in models.items()}
plot.rate_distortion(curves).figure.savefig(FIGURES / "23_rates.png")

# %% The claims: with a network z means another thing for each x; by default it is the action
best, rate = table["operators, within"], curves["operators, within"].rate
assert all(table[name]["I(z; a)"] < 0.3 for name in ("network", "network, within"))
assert table["network"]["spread within"] < best["spread within"]
assert best["I(z; a)"] > 1.0
assert rate.diff().max() < 1e-6
assert rate[-1] < 0.01
