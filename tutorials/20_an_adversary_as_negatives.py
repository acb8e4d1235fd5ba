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
from torch import Tensor, nn

import ebmlab
from ebmlab import Method, data, energies, methods, metrics, plot
from ebmlab.losses import logistic
from ebmlab.networks import MLP, Generator
from ebmlab.objectives import Adversarial, Fooling
from ebmlab.partition import quadrature, trapezoid
from ebmlab.training import Players, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
toy = data.toys.eight_gaussians
y, held_out, means = toy(50_000, rng), toy(10_000, rng), torch.tensor(toy.means)
entropy = -float(toy.log_density(held_out).mean())
saturating = nn.functional.logsigmoid
WIDTHS, DIM, STEPS = (64, 64), 4, 1500


def net(inputs: int, outputs: int) -> MLP:
    """The same network for every player."""
    return MLP(inputs, outputs, WIDTHS, lambda: nn.LeakyReLU(0.2))


def judged(draws: Tensor) -> tuple[int, float, float]:
    """Modes that hold half of their share at least, draws within 3σ of one, error of the weights.

    Every eighth draw should lie near each.
    """
    away, mode = torch.cdist(draws, means).min(1)
    near = away < 3 * toy.scale
    shares = torch.bincount(mode[near], minlength=8) / len(draws)
    weights = metrics.mode_weights(draws, means)
    return int((shares >= 1 / 16).sum()), float(near.float().mean()), float(weights.error)


# %% [markdown]
# ## Two players, one loss
#
# | formula | code |
# |---|---|
# | E descends mean softplus(E(y)) + softplus(-E(g(z))) | `losses.logistic` |
# | g descends mean softplus(E(g(z))), E held fixed | `nn.functional.softplus` |
# | + γ mean ‖∂E/∂y‖² at the data | `GradientPenalty()`, in `methods.gan` |
#
# The loss is the sum of all, and one `backward` serves both: the first term sees points without a
# graph, the second a critic whose parameters get nothing. Each player has its own optimizer.

# %%
fields, draws, results = {}, {}, {}


def play(name: str, method: Method, generator: Generator, betas: tuple[float, float]) -> None:
    """Train both; note the critic's landscape, the draws, and what they are worth."""
    made = list(generator.parameters())
    critic = [p for p in method.parameters() if all(p is not q for q in made)]
    players = Players(*(torch.optim.Adam(part, 2e-3, betas) for part in (critic, made)))
    how = {"steps": STEPS, "rng": rng, "schedule": falling_cosine, "progress": False}
    ebmlab.fit(method, (None, y), optimizer=players, **how)
    draws[name] = generator.sample(10_000, rng)
    note(name, method)


def note(name: str, method: Method) -> None:
    """The landscape, and the draws beside the data; NLL of exp(-E) / Z by quadrature."""
    u, corner = method.energy.given(), torch.full((2,), 4.0)
    fields[name] = ebmlab.landscape(u, ebmlab.Plane.xy(), -4.0, 4.0, resolution=120)
    log_z = quadrature(u, -corner, corner, resolution=400, rule=trapezoid).log_z
    results[name] = (*judged(draws[name]), float(metrics.nll(u, held_out, log_z)))
    modes, near, error, nll = results[name]
    print(f"{name:20} {modes} modes, {near:.0%} near one, off by {error:.2f}; NLL {nll:.2f}")


# %% [markdown]
# ## The failure first: the game as it was first written
#
# If g climbs what E descends, it has no slope left where E is sure; with momentum both circle.

# %%
torch.manual_seed(0)
g = Generator(net(DIM, 2), DIM)
first = Method(energies.MLP(2, hidden=WIDTHS), Adversarial(g, Fooling(logistic, saturating)))
play("saturating GAN", first, g, betas=(0.9, 0.99))

# %% The cure: a lead that does not saturate, slopes held at the data, and no momentum
torch.manual_seed(0)
g = Generator(net(DIM, 2), DIM)
gan = methods.gan(energies.MLP(2, hidden=WIDTHS), g, r1=0.01)
play("GAN", gan, g, betas=(0.0, 0.99))

# %% [markdown]
# ## An autoencoder as a critic
#
# EBGAN's energy is an error, ‖D(C(y)) - y‖²: it copies data well, and fakes badly up to a margin.
# Codes of fakes are pulled apart, so that these do not all go to one place.

# %%
torch.manual_seed(0)
g = Generator(net(DIM, 2), DIM)
play("EBGAN", methods.ebgan(net(2, 16), net(16, 2), g), g, betas=(0.0, 0.99))

# %% The same energy without an adversary: short chains that start at the data are its negatives
torch.manual_seed(0)
base = energies.Gaussian(y.mean(0), y.T.cov())
cd = methods.contrastive_divergence(energies.MLP(2, hidden=WIDTHS) + base)
how = {"steps": STEPS, "lr": 1e-2, "schedule": falling_cosine, "rng": rng, "progress": False}
ebmlab.fit(cd, (None, y), **how)
square = ebmlab.landscape(cd.energy.given(), ebmlab.Plane.xy(), -4.0, 4.0, resolution=200)
draws["CD"] = square.sample(10_000, rng)
note("CD", cd)

# %% [markdown]
# ## What the critic's landscape is, and is not
#
# For a fixed g the logistic critic's best energy is E = log p_g - log p_data. Where g has learned,
# it is flat: exp(-E) is no density of the data, whatever Z is. That of CD is -log p + c.
# But p_g exp(-E) ∝ p_data: the critic still knows what is wrong with g. Of its draws, keep each
# with a chance in proportion to exp(-E).

# %%
with torch.no_grad():
    odds = (-gan.energy(None, draws["GAN"])).softmax(0)
kept = torch.multinomial(odds, 5000, replacement=True, generator=rng)
results["GAN, kept by E"] = (*judged(draws["GAN"][kept]), float("nan"))
print("GAN, kept by E       {} modes, {:.0%} near one".format(*results["GAN, kept by E"][:2]))

# %%
shown = list(fields)
titles = [f"{n}\n{results[n][1]:.0%} near a mode, NLL {results[n][3]:.2f}" for n in shown]
crosses = [draws[name][:400] for name in shown]
axes = {
    "samples": crosses,
    "columns": 4,
    "limits": (0.0, 6.0),
    "xlabel": "$y_1$",
    "ylabel": "$y_2$",
}
plot.landscapes(list(fields.values()), titles, **axes).savefig(FIGURES / "20_adversaries.png")

# %% The claim: who finds all modes, and whose energy is a density
for name in ("GAN", "EBGAN", "CD"):
    assert results[name][0] == 8, name
assert results["saturating GAN"][0] < 8 or results["saturating GAN"][1] < results["GAN"][1]
assert results["GAN, kept by E"][1] > results["GAN"][1]
assert results["CD"][3] < entropy + 0.3
assert min(results[name][3] for name in ("GAN", "EBGAN")) > entropy + 0.5
