# %% [markdown]
# # An adversary as negatives
#
# **Question: an energy learns from points that it should not like. Can a network learn to make
# them, and what is the landscape then?**
#
# Noise is a dull opponent, and the model's own chains are slow. A generator g makes points of
# noise z, and learns where the energy is too low: there the next negatives will be.

# %% The data first: eight Gaussians, each of which should get an eighth of the draws
from pathlib import Path

import torch
from torch import nn

import ebmlab
from ebmlab import Energy, FunctionEnergy, Method, data, energies, methods, metrics, plot
from ebmlab.losses import logistic
from ebmlab.networks import MLP, Generator
from ebmlab.objectives import Adversarial, Fooling
from ebmlab.partition import quadrature, trapezoid
from ebmlab.training import Players, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
toy, STEPS = data.toys.eight_gaussians, 1200
y, held_out, means = toy(50_000, rng), toy(10_000, rng), torch.tensor(toy.means)
entropy, half = -float(toy.log_density(held_out).mean()), torch.full((2,), 4.0)


def net(inputs: int, outputs: int) -> MLP:
    """The same network for every player."""
    return MLP(inputs, outputs, (64, 64), lambda: nn.LeakyReLU(0.2))


def critic() -> Energy:
    """Its energy: one number."""
    return FunctionEnergy(nn.Sequential(net(2, 1), nn.Flatten(0)), ("y",))


# %% [markdown]
# ## Two players, one loss
#
# | formula | code |
# |---|---|
# | E descends mean softplus(E(y)) + softplus(-E(g(z))) | `losses.logistic` |
# | g descends mean softplus(E(g(z))), E held fixed | `nn.functional.softplus` |
# | + γ mean ‖∂E/∂y‖² at the data | `GradientPenalty()`, in `methods.gan` |
#
# The loss is the sum, and one `backward` serves both: the first term sees points without a graph,
# the second a critic whose parameters get nothing. Each player has an optimizer of its own.

# %%
fields, draws, modes, near, nlls = {}, {}, {}, {}, {}


def note(name: str, energy: Energy) -> None:
    """Modes with half of their share or more, draws within 3σ of one, NLL of exp(-E) / Z."""
    away, mode = torch.cdist(draws[name], means).min(1)
    close = away < 3 * toy.scale
    modes[name] = int((torch.bincount(mode[close], minlength=8) >= len(mode) / 16).sum())
    near[name], u = float(close.float().mean()), energy.given()
    fields[name] = ebmlab.landscape(u, ebmlab.Plane.xy(), -4.0, 4.0, resolution=200)
    log_z = quadrature(u, -half, half, resolution=400, rule=trapezoid).log_z
    nlls[name] = float(metrics.nll(u, held_out, log_z))
    print(f"{name:12} {modes[name]} modes, {near[name]:.0%} of draws near; NLL {nlls[name]:.2f}")


def play(name: str, method: Method, g: Generator, momentum: float, *, falling: bool) -> None:
    """Train both players."""
    betas, sides = (momentum, 0.99), (method.energy.parameters(), g.parameters())
    players = Players(*(torch.optim.Adam(side, 4e-3, betas) for side in sides))
    how = {"schedule": falling_cosine if falling else None, "rng": rng, "progress": False}
    ebmlab.fit(method, (None, y), steps=STEPS, optimizer=players, **how)
    draws[name] = g.sample(10_000, rng)
    note(name, method.energy)


# %% [markdown]
# ## The failure first: the same game, played as anything else is trained
#
# Momentum, step sizes that do not fall, nothing that holds the critic: where g arrives, E rises,
# and g leaves. Both circle.

# %%
torch.manual_seed(0)
g = Generator(net(4, 2), 4)
plain = Method(critic(), Adversarial(g, Fooling(logistic, nn.functional.softplus)))
play("plain GAN", plain, g, 0.9, falling=False)

# %% The cure: slopes held at the data, no momentum, steps that fall
torch.manual_seed(0)
g = Generator(net(4, 2), 4)
play("GAN", methods.gan(critic(), g), g, 0.0, falling=True)

# %% EBGAN: the energy is the error of an autoencoder, ‖D(C(y)) - y‖², raised up to a margin
torch.manual_seed(0)
g = Generator(net(4, 2), 4)
play("EBGAN", methods.ebgan(net(2, 16), net(16, 2), g), g, 0.0, falling=True)

# %% No adversary: contrastive divergence, whose negatives are short chains that start at the data
torch.manual_seed(0)
held = energies.MLP(2, hidden=(64, 64)) + energies.Gaussian(y.mean(0), y.T.cov())
how = {"steps": STEPS, "lr": 1e-2, "schedule": falling_cosine, "rng": rng, "progress": False}
ebmlab.fit(methods.contrastive_divergence(held), (None, y), **how)
square = ebmlab.landscape(held.given(), ebmlab.Plane.xy(), -4.0, 4.0, resolution=200)
draws["CD"] = square.sample(10_000, rng)
note("CD", held)

# %% [markdown]
# ## What a critic's landscape is, and is not
#
# For a fixed g the logistic critic is best at E = log p_g - log p_data: where g has learned, it is
# flat. exp(-E) is no density of the data, whatever Z is: the model is g. EBGAN's energy is an
# error, low on a manifold and in no unit. Only that of contrastive divergence is -log p + c.

# %%
titles = [f"{name}: {near[name]:.0%} near a mode, NLL {nlls[name]:.2f}" for name in fields]
crosses = [points[:400] for points in draws.values()]
how = {"samples": crosses, "columns": 2, "limits": (0.0, 8.0), "xlabel": "$y_1$"}
figure = plot.landscapes(list(fields.values()), titles, ylabel="$y_2$", **how)
figure.savefig(FIGURES / "20_adversaries.png")

# %% The claim: who finds all modes, and whose energy is a density
assert modes["GAN"] == modes["EBGAN"] == modes["CD"] == 8
assert near["plain GAN"] < near["GAN"] - 0.1
assert nlls["CD"] < entropy + 0.3 < min(nlls["GAN"], nlls["EBGAN"])
