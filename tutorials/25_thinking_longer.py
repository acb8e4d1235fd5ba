# %% [markdown]
# # Thinking longer
#
# **Question: a network answers in one pass, hard questions and easy ones alike. Can an answer get
# better the longer it is thought over, and can a model tell when it has thought enough?**
#
# Guess y, and let the energy correct it: each thought is a step down E(x, ·). The loss goes back
# through all of them.

# %% The data first: points near a circle; x is the question, and two y are right
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Method, data, energies, fit, landscape, methods, networks, plot, slices
from ebmlab.prediction import think
from ebmlab.training import Stepping, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
circle, NEAR, LONG = data.relations.circle, 0.15, 32
x, y = circle(4096, torch.Generator().manual_seed(0))
questions = torch.linspace(-0.9, 0.9, 200)[:, None]
right = torch.stack(circle.branches(questions[:, 0]))


def trained(method: Method, steps: int) -> Method:
    rng, cosine = torch.Generator().manual_seed(1), Stepping(falling_cosine)
    fit(method, (x, y), steps=steps, batch_size=64, lr=2e-2, rng=rng, stepping=cosine)
    return method


def share(answers: Tensor) -> Tensor:
    """The share of answers (steps, k, questions, 1) near a right one, after each thought."""
    miss = (answers - right).abs().min(-1).values
    return (miss < NEAR).double().mean((1, 2))


# %% [markdown]
# ## The failure: the mean
#
# | | formula | in code |
# |---|---|---|
# | regression | ‖f(x) - y‖² | `regression(f)` |
# | energy | E(x, y) = ½ y² + network(x, y) | `MLP(1, x_dim=1) + Gaussian(0, 1)` |
# | a thought | y ← y - η ∇E(x, y), from y ~ N(0, 1) | `inference.FixedSteps(η)` |
# | one start | ‖ŷ - y‖² | `ebt(energy)` |
# | the nearest of k starts | min_k ‖ŷ_k - y‖² | `ebt(energy, starts=k)` |
#
# Least squares answers with the mean of the right answers, and the mean of +h and -h is 0. The
# same loss of an answer that was thought over does no better, since the guess knows nothing of y.
#
# ## The cure: guesses that divide the work
#
# Of eight guesses only the nearest answer counts. No guess above is pulled down by a y below:
# each learns to go to *one* right answer, and a ridge grows between two valleys.


# %%
def thinker(starts: int, steps: int) -> Method:
    torch.manual_seed(0)
    bowl = energies.Gaussian(torch.zeros(1), torch.eye(1))
    return trained(methods.ebt(energies.MLP(1, 1, (64, 64)) + bowl, starts), steps)


torch.manual_seed(0)
regression = trained(methods.regression(networks.MLP(1, 1, (64, 64))), 400)
mean = regression.encode(questions).detach()
models = {"one start": thinker(1, 150), "nearest of 8": thinker(8, 400)}
guesses = torch.randn(8, 1, generator=torch.Generator().manual_seed(2))
thoughts = {name: think(model, questions, guesses, steps=LONG) for name, model in models.items()}
shares = {name: share(found.y) for name, found in thoughts.items()}
shares["regression"] = share(mean[None, None]).expand(LONG + 1)
for name, found in shares.items():
    print(f"{name:14}", "  ".join(f"{k}: {float(found[k]):.2f}" for k in (0, 1, 2, 4, 8, 16, 32)))

# %% Both landscapes less the lowest E of each x, ways of guesses at five x; dashed: regression
figure = Figure(figsize=(9.5, 4), layout="constrained")
for ax, (name, model) in zip(figure.subplots(1, 2), models.items(), strict=True):
    picture = landscape(slices.over_pairs(model.energy), slices.Plane.xy(), -1.4, 1.4)
    picture = replace(picture, energy=picture.energy - picture.energy.min(0).values)
    ways = thoughts[name].y[:, :, 10::45, 0]
    paths = torch.stack([questions[10::45, 0].expand_as(ways), ways], -1).flatten(1, 2)
    plot.contour(picture, ax, trajectories=paths, xlabel="$x$", ylabel="$y$", title=name)
    ax.plot(questions[:, 0], mean[:, 0], color="white", linestyle="--", linewidth=1.5)
figure.savefig(FIGURES / "25_landscapes.png")

# %% [markdown]
# ## Enough is enough
#
# The energy falls and the answers get better, also after the four thoughts that training took at
# most. A guess stops by itself once a thought lowers its energy by less than τ of its whole fall.
# Where the right answers are close, it thinks longer. Guesses may be compared by their energy.

# %%
eight, found = models["nearest of 8"], thoughts["nearest of 8"]
stopped = think(eight, questions, guesses, steps=LONG, tolerance=0.003)
spent, kept = stopped.taken.double().mean(), share(stopped.y[-1:])[0]
equal = int((shares["nearest of 8"] >= kept).double().argmax())
print(f"{float(spent):.1f} thoughts of {LONG}: {float(kept):.3f}; so many for all: {equal}")
figure = Figure(figsize=(9.5, 3.5), layout="constrained")
left, middle, last = figure.subplots(1, 3)
fall = {name: each.energies.mean((1, 2)) for name, each in thoughts.items()}
plot.curves({n: e - e[-1] for n, e in fall.items()}, None, left, ylabel="energy above the end")
plot.curves(shares, None, middle, ylabel=f"share within {NEAR} of a right answer")
last.plot(questions[:, 0], stopped.taken.double().mean(0))
last.set(xlabel="$x$", ylabel="thoughts until the stop")
_ = [ax.set(xlabel="thoughts", xlim=(0, 12)) for ax in (left, middle)]
figure.savefig(FIGURES / "25_thoughts.png")

# %% The claims: energy down, answers better; regression and one start are right nowhere
assert float(shares["regression"][0]) < 0.05 > float(shares["one start"][-1])
assert float(shares["nearest of 8"][-1]) > max(0.9, float(shares["nearest of 8"][2]) + 0.05)
assert all(bool((e.diff() < 1e-4).all()) for e in fall.values())
assert float(spent) < 0.5 * LONG
assert float(kept) > float(shares["nearest of 8"][-1]) - 0.05
assert float(share(found.answer[None, None])) > 0.9
