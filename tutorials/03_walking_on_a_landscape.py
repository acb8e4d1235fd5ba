# %% [markdown]
# # Walking on a landscape
#
# **Question: a sampler walks on E and says that it is done. Has it seen the whole landscape?**
#
# Five samplers, one energy of the plane with three wells whose weights are known. Each gets the
# same number of gradients.

# %% The data first: draws of a mixture of Gaussians, a half, three tenths and a fifth of them
from pathlib import Path

import torch

import ebmlab
from ebmlab import energies, metrics, plot
from ebmlab.samplers import HMC, MALA, NUTS, Langevin, ParallelTempering

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
BUDGET, CHAINS = 1400, 24  # gradients of each chain; chains of each start
centers = torch.tensor([[-2.5, -1.5], [2.5, -1.5], [0.0, 2.7]])
weights = torch.tensor([0.5, 0.3, 0.2])
energy = energies.GaussianMixture(centers, 0.4, weights)
u = energy.given()
exact = energy.sample(300, torch.Generator().manual_seed(0))

# %% [markdown]
# ## Five ways to walk
#
# | sampler | a step | gradients |
# |---|---|---|
# | Langevin | y - ε∇E + √(2ε) ξ | 1 |
# | MALA | the same, accepted or rejected | 1 |
# | HMC | a path of 4 leaps at constant E + ½‖r‖², accepted or rejected | 4 |
# | NUTS | a path that ends where it turns back | about 5 here |
# | tempering | MALA on E / T at four T, neighbors swap | 4 |

# %% Step sizes that suit one well; each kernel with the gradients of its step
KERNELS: dict[str, tuple[ebmlab.protocols.Sampler, int]] = {
    "Langevin": (Langevin(0.03), 1),
    "MALA": (MALA(0.13), 1),
    "HMC": (HMC(0.16, leapfrog_steps=4, jitter=0.2), 4),
    "NUTS": (NUTS(0.28), 5),
    "tempering": (ParallelTempering(lambda t: MALA(0.14 * t), (1, 3, 9, 27)), 4),
}
together = centers[2:].repeat(CHAINS, 1)  # all in the lightest well
apart = centers.repeat(CHAINS // 3, 1)  # a third of the chains in each
walks = {}
for name, (kernel, cost) in KERNELS.items():
    rng = torch.Generator().manual_seed(0)
    start = torch.cat([together, apart])
    walks[name] = ebmlab.run(kernel, u, start, steps=BUDGET // cost, thin=1, rng=rng)

# %% [markdown]
# ## The failure: everything looks well
#
# The chains that start together: most proposals are accepted, effective draws (ESS) are many,
# R-hat is 1. And four of five samplers have seen one well in three. R-hat compares chains with
# each other, and they agree; where a chain has been does not tell what it has missed.
#
# ## What tells: chains that start apart
#
# R-hat is then above 2, and the time in each well is the share of chains that began there.


# %%
def shares(samples: torch.Tensor) -> torch.Tensor:
    """The fraction of time in each well, (draws, 3), up to each draw."""
    well = torch.cdist(samples, centers).argmin(-1)
    inside = torch.nn.functional.one_hot(well, 3).double().mean(1)
    return inside.cumsum(0) / torch.arange(1, len(inside) + 1)[:, None]


rhat, speed, share = {}, {}, {}
print("            acceptance  ESS / 1000 gradients     R-hat       2nd half of time")
print("                        together      apart  together apart  .50 .30 .20 exact")
for name, walk in walks.items():
    starts = walk.samples[:, :CHAINS], walk.samples[:, CHAINS:]
    rhat[name] = [float(metrics.rhat(s).max()) for s in starts]
    speed[name] = [float(metrics.ess(s).min()) / (CHAINS * BUDGET / 1000) for s in starts]
    share[name], late = shares(starts[0]), shares(starts[0].chunk(2)[1])[-1]
    row = [float(walk.acceptance.mean()), *speed[name], *rhat[name], *late.tolist()]
    form = "{:10.2f} {:13.1f} {:10.1f} {:9.2f} {:5.2f}  {:.2f} {:.2f} {:.2f}"
    print(f"{name:11}", form.format(*row))

# %% [markdown]
# ## The cure: heat
#
# At T = 27 no barrier is higher than a nat and replicas cross them all; swaps, accepted with
# probability min(1, exp((1/T - 1/T')(E - E'))), bring what they find to T = 1. Per gradient it has
# fewer effective draws than the others say they have, and its alone are of the whole landscape.

# %% Three chains that start apart, for 300 gradients; the error over gradients; traces; a film
field = ebmlab.landscape(u, ebmlab.Plane.xy(), -4.5, 4.5)
lines = [walks[name].samples[: 300 // cost, -3:] for name, (_, cost) in KERNELS.items()]
titles = ["exact draws", *(f"{name}, R-hat {apart:.2f}" for name, (_, apart) in rhat.items())]
axes = {"xlabel": "$y_1$", "ylabel": "$y_2$", "limits": (0.0, 20.0)}
how = {"samples": [exact, *[None] * 5], "trajectories": [None, *lines], "columns": 3} | axes
figure = plot.landscapes([field] * 6, titles, **how)
figure.savefig(FIGURES / "03_walks.png")
spent = torch.arange(20, BUDGET, 20)  # total variation between the time in wells and the weights
error = {name: 0.5 * (share[name] - weights).abs().sum(1) for name in KERNELS}
error = {name: error[name][spent // cost - 1] for name, (_, cost) in KERNELS.items()}
local = [error[name] for name in ("Langevin", "MALA", "HMC", "NUTS")]
drawn = {"the other four": torch.stack(local).mean(0), "tempering": error["tempering"]}
names = {"xlabel": "gradients per chain", "ylabel": "error of the weights"}
plot.curves(drawn, steps=spent, **names).figure.savefig(FIGURES / "03_error.png")
both = torch.stack([walks[name].samples[:280, -3:, 0] for name in ("NUTS", "tempering")], -1)
plot.trace(both, ["$y_1$, NUTS", "$y_1$, tempering"]).savefig(FIGURES / "03_trace.png")
film = walks["tempering"].samples[:50, :CHAINS]
plot.animate(field, film, FIGURES / "03_tempering.gif", fps=8, tail=2, **axes)

# %% The claim: four samplers are content with one well, heat finds three and their weights
for name in ("Langevin", "MALA", "HMC", "NUTS"):
    assert rhat[name][0] < 1.05 < 2 < rhat[name][1], name
    assert error[name].min() > 0.75, name
    assert speed[name][0] > 5 * speed["tempering"][0], name
    assert speed[name][1] < 0.2 * speed["tempering"][1], name
assert max(rhat["tempering"]) < 1.1
assert error["tempering"][-1] < 0.1
