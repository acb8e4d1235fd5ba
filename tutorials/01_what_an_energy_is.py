# %% [markdown]
# # What an energy is
#
# **Question: one x has several right y. What can a model answer?**
#
# A function f(x) gives one answer. An energy E(x, y) gives a number to *every* answer: low where
# x and y fit together. To predict is to minimize over y, and there may be several minima.

# %% The data: points near a circle, of which we are shown x and asked for y
from pathlib import Path

import torch

import ebmlab
from ebmlab import data, energies, inference, methods, networks, plot, samplers

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
torch.manual_seed(0)  # weights of networks
circle = data.relations.circle
x, y = circle(4096, rng)
at = torch.full((1, 1), 0.6)  # here the right answers are y = ±0.8

# %% [markdown]
# ## The failure: regression
#
# Least squares pushes down E(x, y) = ‖f(x) - y‖². Its best f is the mean of the right answers,
# and the mean of +0.8 and -0.8 is 0: an answer that is never right.

# %%
regression = methods.regression(networks.MLP(1, 1, (64, 64)))
ebmlab.fit(regression, (x, y), steps=400, rng=rng, lr=3e-3)
answer = regression.encode(at).detach()[:, 0]

# %% [markdown]
# ## An energy written by hand
#
# We know the rule here, so we write it down: E(x, y) = (√(x² + y²) - 1)² / 2σ². Any function of
# x and y that returns one number per pair is an energy.


# %%
def from_circle(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    radius = torch.hypot(x[:, 0], y[:, 0])
    return (radius - 1).square() / (2 * circle.noise**2)


by_hand = ebmlab.FunctionEnergy(from_circle, variables=("x", "y"))

# %% [markdown]
# ## Inference is minimization
#
# Clamp x, and what is left is a function of y, a *potential* u(y) = E(x, y). Eight points slide
# down it, y ← y - η ∇u(y). Some find +0.8, some -0.8: both are predictions.

# %%
descent = inference.Descent(steps=300, step_size=1e-4)
starts = torch.linspace(-1.4, 1.4, 8)[:, None]
answers = descent.minimize(by_hand.given(at), starts).argmin[:, 0]

# %% [markdown]
# The same energy answers the other question: clamp y = 0.6, ask for x. It was not made for that.

# %%
u_of_x = ebmlab.types.Potential(lambda x: by_hand(x, at))
backwards = descent.minimize(u_of_x, starts).argmin[:, 0]

# %% [markdown]
# ## An energy that is learned
#
# A network E(x, y), pushed down on the data and up on random y (InfoNCE with uniform noise). At
# its best, exp(-E) is proportional to p(y | x): not just which answers, but how likely.

# %%
noise = energies.Uniform(torch.tensor([-1.5]), torch.tensor([1.5]))
network = energies.MLP(1, x_dim=1, hidden=(64, 64))
learned = methods.noise_contrastive(network, noise, k=16)
ebmlab.fit(learned, (x, y), steps=800, rng=rng, lr=3e-3)
u = learned.energy.given(at)
minima = descent.minimize(u, starts).argmin[:, 0]

# %% [markdown]
# Not only its minima: a sampler walks on exp(-E) and visits both branches.

# %%
walk = ebmlab.run(samplers.MALA(step_size=2e-3), u, starts.repeat(50, 1), steps=300, rng=rng)
above = (walk.state.y > 0).float().mean()

# %% Three energies of one relation on one scale; crosses are the answers at x = 0.6
trio = {"regression": regression.energy / 0.5, "by hand": by_hand, "learned": learned.energy}
plane = ebmlab.Plane.xy()
fields = [ebmlab.landscape(ebmlab.slices.over_pairs(e), plane, -1.5, 1.5) for e in trio.values()]
figure = plot.landscapes(
    fields,
    list(trio),
    data=torch.cat([x, y], dim=1)[:200],
    samples=[torch.stack([at[0].expand(len(a)), a], 1) for a in (answer, answers, minima)],
    limits=(0.0, 12.0),
    xlabel="x",
    ylabel="y",
)
words = {"their mean:\nnever right": "white", "two answers": "black", "two, learned": "black"}
for ax, (said, color) in zip(figure.axes, words.items(), strict=False):
    height = 0.45 if color == "white" else 0.0
    ax.text(0, height, said, ha="center", va="center", color=color, fontsize=8)
figure.savefig(FIGURES / "01_what_an_energy_is.png")

# %% The claim: an energy holds both right answers, regression neither
assert answer.abs() < 0.15
for found in (answers, backwards, minima):
    assert (found.abs() - 0.8).abs().max() < 0.05
    assert found.min() < 0 < found.max()
assert 0.3 < above < 0.7
