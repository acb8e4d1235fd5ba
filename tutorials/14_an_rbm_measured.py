# %% [markdown]
# # An RBM, measured
#
# **Question: how good is a model whose likelihood nobody can compute?**
#
# A restricted Boltzmann machine learns handwritten digits. Its energy is known, its log Z is not:
# a sum over 2^64 images. Annealed importance sampling finds it, from below and from above.

# %% The data first: pixels of 0 and 1, some held out
import os
from pathlib import Path

import torch

import ebmlab
from ebmlab import fit, methods, plot
from ebmlab.data import digits, mnist
from ebmlab.energies import RBM, Bernoulli
from ebmlab.partition import RBMPath, ais, rbm_log_z, reverse_ais
from ebmlab.samplers import Gibbs
from ebmlab.training import Stepping

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
large = bool(os.environ.get("EBMLAB_LARGE"))  # MNIST and 500 hidden units: minutes, not seconds
images = mnist("train")[0] if large else digits()[0]
data = (images > 0.5).float().flatten(1)[torch.randperm(len(images), generator=rng)]
side, held_out = images.shape[-1], len(data) // 6
test, train = data[:held_out], data[held_out:]
rates = Bernoulli(((train.sum(0) + 0.5) / (len(train) + 1)).logit())

# %% [markdown]
# ## The energy, and the objective
#
# $F(v) = -b^\top v - \sum_j \log(1 + \exp(c_j + (vW)_j))$: hidden units are summed out. Learning
# lowers F on digits and raises it on chains of the machine, which are never restarted:
# persistent contrastive divergence. Hidden units given v are independent, and so is v given them,
# so that a chain moves in two draws.


# %%
def trained(hidden: int, epochs: int) -> tuple[RBM, torch.Tensor]:
    """A machine, and where its persistent chains stand."""
    machine = RBM(side**2, hidden)
    with torch.no_grad():
        machine.visible_bias.copy_(rates.logits)
    method = methods.rbm(machine, rates.sample(100, rng))
    optimizer = torch.optim.SGD(method.parameters(), lr=0.2)
    options = {"optimizer": optimizer, "stepping": Stepping(lambda done: 1 - done)}
    steps = epochs * len(train) // 100
    fit(method, (None, train), steps=steps, batch_size=100, rng=rng, **options)
    return machine, method.get_buffer("objective.negatives.pool")


def both_ways(machine: RBM, chains: torch.Tensor, temperatures: int) -> tuple[float, float]:
    """log Z from below, and from above as far as the chains have converged."""
    path, u = RBMPath(machine, rates), machine.given()
    along = {"times": torch.linspace(0, 1, temperatures), "between": path.at, "rng": rng}
    draws = ebmlab.run(Gibbs(machine.conditionals()), u, chains, steps=500, rng=rng).state.y
    below = ais(u, rates, path.kernel, chains=len(chains), **along)
    above = reverse_ais(u, draws, rates, path.kernel, **along)
    return float(below.log_z), float(above.log_z)


def mean_log_likelihood(machine: RBM, log_z: float) -> float:
    """Nats per held-out image."""
    return float(-machine(None, test).mean().detach()) - log_z


# %% [markdown]
# ## Where the answer is known
#
# Sixteen hidden units: Z is a sum over 2^16 of their states, exact. Does annealing find it?

# %%
small, chains = trained(hidden=16, epochs=200)
exact = float(rbm_log_z(small).log_z)
COUNTS = (3, 10, 30, 100, 300)
found = [both_ways(small, chains, count) for count in COUNTS]
print("temperatures  log Z from below  from above  exact")
for count, (below, above) in zip(COUNTS, found, strict=True):
    print(f"{count:12d} {below:17.2f} {above:11.2f} {exact:6.2f}")
lines = {
    "from below": torch.tensor(found)[:, 0],
    "from above": torch.tensor(found)[:, 1],
    "exact": torch.full((len(COUNTS),), exact),
}
drawn = plot.curves(lines, steps=torch.tensor(COUNTS), xlabel="temperatures", ylabel="log Z")
drawn.set(xscale="log", xlabel="temperatures on the way, more is slower")
drawn.set_title("log Z is nearer, the more temperatures there are")
drawn.figure.savefig(FIGURES / "14_both_ways.png")

# %% Where it is not: more hidden units, bracketed
machine, chains = trained(hidden=500 if large else 128, epochs=10 if large else 150)
brackets = both_ways(machine, chains, 4000 if large else 1000)
scores = [mean_log_likelihood(machine, log_z) for log_z in brackets]
plain = float(rates.log_prob(test).mean())
few = mean_log_likelihood(small, exact)
print(f"nats per held-out image: independent pixels {plain:.2f}, 16 hidden units {few:.2f},")
print(f"{machine.hidden} hidden units {scores[0]:.2f} by log Z from below, {scores[1]:.2f} above")

# %% What it looks like: digits, where chains stand, what hidden units look for
walk = ebmlab.run(Gibbs(machine.conditionals()), machine.given(), chains, steps=500, rng=rng)
strongest = machine.weights.detach().square().sum(0).argsort(descending=True)[:40]
filters = machine.weights.detach().mT[strongest]
filters = 0.5 + 0.5 * filters / filters.abs().amax(1, keepdim=True)
ink = {"data": 1 - test[:40], "chains": 1 - walk.state.y[:40], "filters": filters}
titles = {"data": "held-out digits", "chains": "where chains stand after 500 steps"}
titles["filters"] = "what the strongest hidden units look for: white on, black off"
for name, sheet in ink.items():
    axes = plot.images(sheet.reshape(-1, 1, side, side), columns=10, title=titles[name])
    axes.figure.savefig(FIGURES / f"14_{name}.png")

# %% The claim: annealing closes on log Z from both sides; hidden units are worth their nats
errors = [max(abs(end - exact) for end in ends) for ends in found]
assert errors[-1] < 0.2 < errors[0]
assert scores[0] - scores[1] < 1.0
assert plain + 2 < few < scores[1]
