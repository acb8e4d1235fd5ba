# %% [markdown]
# # An adversary as negatives
#
# **Question: an energy learns from points that it should not like. Can a network learn to make
# them, and what is the landscape then?**
#
# A generator g of noise z learns where the energy is too low: there the next negatives will be.

# %% The data first: eight Gaussians, each of which should get an eighth of the draws
from pathlib import Path

import torch
from torch import Tensor, nn

import ebmlab
from ebmlab import Energy, FunctionEnergy, Method, data, energies, methods, metrics, plot
from ebmlab.losses import logistic
from ebmlab.networks import MLP, Generator
from ebmlab.objectives import Adversarial, Fooling
from ebmlab.training import Players, Stepping, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
toy = data.toys.eight_gaussians
y, held_out, means = toy(50_000, rng), toy(10_000, rng), torch.tensor(toy.means)
entropy = -float(toy.log_density(held_out).mean())


def net(inputs: int, outputs: int) -> MLP:
    """The network of every player."""
    return MLP(inputs, outputs, (64, 64), lambda: nn.LeakyReLU(0.2))


def players() -> tuple[Energy, Generator]:
    """The same weights at the start for all."""
    torch.manual_seed(0)
    critic = FunctionEnergy(nn.Sequential(net(2, 1), nn.Flatten(0)), ("y",))
    return critic, Generator(net(4, 2), 4)


# %% [markdown]
# ## Two players, one loss
#
# | formula | code |
# |---|---|
# | E descends mean softplus(E(y)) + softplus(-E(g(z))) | `losses.logistic` |
# | g descends mean softplus(E(g(z))), E held fixed | `nn.functional.softplus` |
# | + γ mean ‖∂E/∂y‖² at the data | `GradientPenalty()`, in `methods.gan` |
#
# One `backward` serves both: the first term sees points without a graph, the second a critic whose
# parameters get nothing. Each player has its optimizer.

# %% What is noted of each
fields, draws, modes, near, nlls = {}, {}, {}, {}, {}
how = {"steps": 1200, "rng": rng}


def note(name: str, energy: Energy, points: Tensor | None = None) -> None:
    """Modes with half of their share or more, draws within 3σ of one, NLL of exp(-E) / Z."""
    fields[name] = ebmlab.landscape(energy.given(), ebmlab.Plane.xy(), -4.0, 4.0, resolution=200)
    draws[name] = fields[name].sample(10_000, rng) if points is None else points
    close = torch.cdist(draws[name], means) < 3 * toy.scale  # no point is close to two
    shares = close.float().mean(0)
    modes[name], near[name] = int((shares >= 1 / 16).sum()), float(shares.sum())
    nlls[name] = float(metrics.nll(energy.given(), held_out, fields[name].log_z()))
    print(f"{name:12} {modes[name]} modes, {near[name]:.0%} of draws near; NLL {nlls[name]:.2f}")


def play(name: str, method: Method, g: Generator, momentum: float, *, falls: bool) -> None:
    """Train both players."""
    betas, sides = (momentum, 0.99), (method.energy.parameters(), g.parameters())
    players = Players(*(torch.optim.Adam(side, 4e-3, betas) for side in sides))
    stepping = Stepping(falling_cosine if falls else None)
    ebmlab.fit(method, (None, y), optimizer=players, stepping=stepping, **how)
    note(name, method.energy, g.sample(10_000, rng))


# %% The failure first: with momentum, and nothing that holds the critic, both circle
critic, g = players()
plain = Method(critic, Adversarial(g, Fooling(logistic, nn.functional.softplus)))
play("plain GAN", plain, g, 0.9, falls=False)

# %% The cure: slopes held at the data, no momentum, steps that fall
critic, g = players()
play("GAN", methods.gan(critic, g), g, 0.0, falls=True)

# %% EBGAN: the energy is the error of an autoencoder, ‖D(C(y)) - y‖², raised up to a margin
g = players()[1]
play("EBGAN", methods.ebgan(net(2, 16), net(16, 2), g), g, 0.0, falls=True)

# %% No adversary: contrastive divergence, its negatives chains that start at the data
held = energies.MLP(2, hidden=(64, 64)) + energies.Gaussian(y.mean(0), y.T.cov())
cd = methods.contrastive_divergence(held)
how["steps"] = 2400  # as many as both players have together
ebmlab.fit(cd, (None, y), lr=5e-3, **how, stepping=Stepping(falling_cosine))
note("CD", held)

# %% [markdown]
# ## What a critic's landscape is, and is not
#
# For a fixed g the logistic critic is best at E = log p_g - log p_data: where g has learned, it is
# flat. exp(-E) is no density of the data, whatever Z is: the model is g. EBGAN's energy is an
# error, low on a manifold, not in nats. Only that of contrastive divergence is -log p + c.
#
# All modes held says little by itself: a thin ring through all of them holds them too, and 77 % of
# it lies near one. The plain game finds that ring, and EBGAN has hardly left it after these steps;
# `benchmarks/adversaries.py` gives both more. Only CD's draws have the modes' width.

# %%
titles = [f"{name}\n{near[name]:.0%} near, NLL {nlls[name]:.2f}" for name in fields]
crosses = [points[:400] for points in draws.values()]
axes = {"columns": 2, "limits": (0.0, 8.0), "xlabel": "$y_1$", "ylabel": "$y_2$"}
figure = plot.landscapes([*fields.values()], titles, samples=crosses, **axes)
figure.savefig(FIGURES / "20_adversaries.png")

# %% The claim: who finds all modes, and whose energy is a density
assert modes["GAN"] == modes["EBGAN"] == modes["CD"] == 8
assert near["plain GAN"] < near["GAN"] - 0.1
assert nlls["CD"] < entropy + 0.3 < min(nlls["GAN"], nlls["EBGAN"])
