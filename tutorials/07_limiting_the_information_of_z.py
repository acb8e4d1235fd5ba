# %% [markdown]
# # Limiting the information of z
#
# **Question: with a z that can say everything, every y is predicted and no energy is high. How can
# z be kept short?**

# %% The data first: three blurred arms, whose density p and entropy h = -E log p are known
import math
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

import ebmlab
from ebmlab import FreeEnergy, data, energies, inference, methods, networks, objectives, plot

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
torch.manual_seed(0)  # weights of networks
law = data.toys.Pinwheel(arms=3, twist=0.0)
y, new = law(2000, rng), law(2000, rng)
h = -float(law.log_density(law(20000, rng)).mean())

# %% [markdown]
# ## One energy, one loss
#
# E(y, z) = ‖y - g(z)‖², and F(y) is E at the z inferred, plus T · nats of z where T > 0. The loss
# is the mean of F over the data: nothing pushes up. Measured are the nats of z, the distortion
# D = E‖y - g(z)‖², and the *low-energy volume*: the share of the window where F is as low as on
# 95 % of new data. Near 1 the energy is flat: it has collapsed.


# %%
def train(free: FreeEnergy, steps: int, lr: float = 1e-2) -> FreeEnergy:
    method = ebmlab.Method(free, objectives.Regularized())
    adam = torch.optim.Adam(method.parameters(), lr=lr)
    ebmlab.fit(method, (None, y), steps=steps, optimizer=adam, rng=rng, progress=False)
    return free


def low(u: Callable[[torch.Tensor], torch.Tensor]) -> tuple[ebmlab.slices.Landscape, float]:
    field = ebmlab.landscape(u, ebmlab.Plane.xy(), resolution=60)
    return field, float((field.energy <= u(new).quantile(0.95).clamp(min=1e-3)).float().mean())


@torch.no_grad()
def measure(free: FreeEnergy) -> tuple[ebmlab.slices.Landscape, float, float, float]:
    q = free.posterior(None, new, rng=rng)
    error = (free.energy.decode(None, q.atoms) - new).square().sum(-1)
    field, volume = low(free.given(rng=rng))
    return field, volume, float((q.weights * error).sum(0).mean()), float(q.information.mean())


# %% [markdown]
# ## The failure: as many numbers in z as in y. The cures: z in fewer dimensions, discrete, noisy
#
# | z | limited by | nats |
# |---|---|---|
# | in R² or in R, by descent from four starts | dimensions | not counted |
# | one of K codes | their number | at most log K |
# | N(μ(y), σ(y)²), F = E + T · KL(· ‖ N(0, 1)) | noise, the more the warmer | KL |
# | 16 entries >= 0, F = E + λ ‖z‖₁ | sparsity | not counted |


# %%
def decoder(dim: int) -> ebmlab.Energy:
    g = networks.MLP(dim, 2, (32, 32)) if dim else nn.Identity()
    return energies.Reconstruction(g, takes_x=False)


def continuous(dim: int) -> FreeEnergy:
    starts = torch.tensor([[-1.5, -1.5], [-0.5, 1.5], [0.5, -1.5], [1.5, 1.5]])[:, :dim]
    return FreeEnergy(decoder(dim), inference.Descent(starts, steps=12, step_size=0.1))


def discrete(k: int) -> FreeEnergy:
    return FreeEnergy(decoder(0), inference.Enumerate(nn.Parameter(y[:k].clone())))


def noisy(temperature: float) -> FreeEnergy:
    encoder = networks.GaussianHead(networks.MLP(2, 4, (32, 32)))
    return FreeEnergy(decoder(2), inference.Amortized(encoder, samples=4), temperature)


codes = {k: measure(train(discrete(k), 150, lr=3e-2)) for k in (1, 3, 6, 12, 24)}
warm = {t: measure(train(noisy(t), 300)) for t in (3.0, 1.0, 0.3, 0.1, 0.02, 0.003)}
two, one = (measure(train(continuous(dim), 200)) for dim in (2, 1))
sparse = methods.sparse_coding(y[:16], 0.3, nonnegative=True, tolerance=1e-2)
ebmlab.fit(sparse, (None, y), steps=50, rng=rng, lr=1e-2, progress=False)

# %% Too much z, too little, and four cures; above each the share of the window that is low
shown = {"2 numbers": two, "1 code": codes[1], "12 codes": codes[12]}
shown |= {"1 number": one, "noisy": warm[0.1], "16 sparse": measure(sparse.energy)}
titles = [f"{name}: {row[1]:.0%} low" for name, row in shown.items()]
how = {"limits": (0.0, 1.5), "xlabel": "$y_1$", "ylabel": "$y_2$", "columns": 3, "data": y[:150]}
figure = plot.landscapes([row[0] for row in shown.values()], titles, **how)
figure.savefig(FIGURES / "07_landscapes.png")

# %% [markdown]
# ## Rate and distortion
#
# However z is made, I(y; z) >= h - log(πe D) in the plane (Shannon), and log K and the mean KL are
# no less than I(y; z): to reconstruct costs nats. But from some point on, more of them only make
# more of the window low. The least volume that holds 95 % of the data is that of their density.

# %%
left, right = Figure(figsize=(8.6, 3.1), layout="constrained").subplots(1, 2)
nats = torch.linspace(0, 7, 71)
bound = (h - nats).exp() / (math.pi * math.e)
least = low(lambda points: -law.log_density(points))[1]
plot.curves({"Shannon": bound}, nats, left, xlabel="nats of z", ylabel="D", logy=True)
plot.curves({"least": 0 * nats + least}, nats, right, xlabel="nats of z", ylabel="low volume")
rates = {"codes": [math.log(k) for k in codes], "noisy": [row[3] for row in warm.values()]}
for (name, rate), rows in zip(rates.items(), (codes, warm), strict=True):
    for ax, column in ((left, 2), (right, 1)):
        ax.plot(rate, [row[column] for row in rows.values()], "o--", label=name)
        ax.legend(frameon=False)
left.figure.savefig(FIGURES / "07_rate_and_distortion.png")

# %% The claim: an unlimited z makes all energies low; limited in any way it does not
assert two[1] > 0.98
