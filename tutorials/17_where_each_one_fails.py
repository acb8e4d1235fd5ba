# %% [markdown]
# # Where each one fails
#
# **Question: every objective has settings under which it learns the wrong landscape. What do the
# failures look like, and what does the loss say meanwhile?**
#
# On a line they are easy to see: the truth, -log p, is one curve, and so is what was learned.

# %% The data first: three parts of four near -2, the rest near 2, with nothing between
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Energy, Method, energies, fit, losses, metrics, negatives, objectives, plot
from ebmlab.partition import quadrature
from ebmlab.protocols import Objective
from ebmlab.samplers import MALA, Langevin
from ebmlab.training import Stepping, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
means, shares = torch.tensor([[-2.0], [2.0]]), torch.tensor([0.75, 0.25])
truth = energies.GaussianMixture(means, 0.35, weights=shares)
y, held_out = truth.sample(20_000, rng), truth.sample(10_000, rng)
line, edge = torch.linspace(-5, 5, 501)[:, None], torch.full((1,), 8.0)
floor = float(metrics.nll(truth.given(), held_out, truth.log_z))
base = energies.Gaussian(y.mean(0), y.T.cov().reshape(1, 1))


def trained(objective: Objective, x_dim: int = 0, held: bool = False) -> tuple[Energy, float]:
    """E of the same network after the same steps, with the data's Gaussian added or not."""
    torch.manual_seed(0)
    energy = energies.MLP(1, x_dim, hidden=(64, 64))
    energy = energy + base if held else energy
    how = {"lr": 5e-3, "stepping": Stepping(falling_cosine), "rng": rng}
    run = fit(Method(energy, objective), (None, y), steps=600, **how)
    return energy, run.history["value"][-1]


found: dict[str, tuple[Tensor, float, float]] = {}


def judge(name: str, u: Callable[[Tensor], Tensor], loss: float) -> None:
    """Note -log p by quadrature, the excess of NLL in nats, and the share of the left mode."""
    with torch.no_grad():
        height = u(line)
    z = quadrature(u, -edge, edge, resolution=2000).log_z
    left = float((-height).softmax(0)[line[:, 0] < 0].sum())
    found[name] = height + z, float(metrics.nll(u, held_out, z)) - floor, left
    print(f"{name:22} loss {loss:8.3f}  excess {found[name][1]:7.3f}  left mode {left:.2f}")


judge("truth", truth.given(), floor)

# %% [markdown]
# ## Chains too short, and chains too cold
#
# E+ - E- is the gradient of the likelihood where E- comes from the model. A step of 0.0003 moves a
# chain by 0.024: negatives sit on the data, and nothing beyond them is ever pushed up. Noise that
# is too small for its step samples another temperature, T = s² / 2ε: -T log p is learned.

# %%
cold = Langevin.from_noise(0.05, 0.1)
kernels = {"CD, a tiny step": (Langevin(3e-4), 1), "CD, MALA": (MALA(0.05), 10)}
for name, (kernel, steps) in (kernels | {"CD, cold noise": (cold, 20)}).items():
    chains = negatives.FromData(kernel, steps)
    energy, loss = trained(objectives.Contrastive(losses.difference, chains), held=kernel != cold)
    judge(name, energy.given(), loss)
judge("the same at its T", (energy / cold.temperature).given(), loss)

# %% [markdown]
# ## Noise that is elsewhere
#
# NCE compares y with noise. Where noise never falls, nothing is compared; where only noise falls,
# it is told apart at once, and the gradient is gone.

# %%
for name, mean, variance in (("NCE, far noise", 7.0, 1.0), ("NCE, noise around", 0.0, 6.0)):
    noise = energies.Gaussian(torch.tensor([mean]), variance * torch.eye(1))
    energy, loss = trained(objectives.NCE(noise, 4))
    judge(name, energy.given(), loss)

# %% [markdown]
# ## Slopes without heights
#
# Score matching asks for ∇E at the data. Between the modes there are none: E may rise by any
# amount from one to the other, and the weights of the modes are left to chance. Several noise
# levels, tied to each other, bridge the gap.

# %%
energy, loss = trained(objectives.ExactScore())
judge("exact score", energy.given(), loss)
grad, due = (u.value_and_grad(held_out)[1] for u in (energy.given(), truth.given()))
slopes = float((grad - due).square().mean() / due.square().mean())
energy, loss = trained(objectives.MultiScaleScore(0.1, 3.0), x_dim=1)
judge("multi-scale score", energy.given(torch.full((1,), 0.1)), loss)

# %% Each beside the truth
names = list(found)[1:]
figure = Figure(figsize=(10, 6.4), layout="constrained")
faults = ("chains too short", "chains too cold", "noise elsewhere", "heights by chance")
for k, ax in enumerate(figure.subplots(2, 2).flat):
    pair = names[2 * k : 2 * k + 2]
    shown = {name: found[name][0] for name in ("truth", *pair)}
    plot.curves(shown, line[:, 0], ax, xlabel="$y$", ylabel="-log p", title=faults[k])
    ax.set_ylim(-2, 22)
    ax.legend(loc="upper center", ncols=3, fontsize=8, frameon=False)
figure.savefig(FIGURES / "17_failures.png")

# %% The claim: each fails as told, and its cure does not
excess, left = ({name: each[k] for name, each in found.items()} for k in (1, 2))
assert min(excess[name] for name in ("CD, a tiny step", "CD, cold noise", "NCE, far noise")) > 0.1
assert max(excess[name] for name in ("CD, MALA", "NCE, noise around", "the same at its T")) < 0.1
assert slopes < 0.1
assert abs(left["exact score"] - 0.75) > abs(left["multi-scale score"] - 0.75)
