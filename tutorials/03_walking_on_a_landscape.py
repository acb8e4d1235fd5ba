# %% [markdown]
# # Walking on a landscape
#
# **Question: a sampler walks on E and says that it is done. Has it seen the whole landscape?**
#
# Five samplers, three wells whose weights are known, the same number of gradients for each.

# %% The data first: draws of a mixture of Gaussians, a half, three tenths and a fifth of them
from pathlib import Path

import torch
from matplotlib.figure import Figure

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
# CHAINS together in the lightest well, and as many apart, a third of them in each.
start, walks = torch.cat([centers[2:].repeat(CHAINS, 1), centers.repeat(CHAINS // 3, 1)]), {}
for name, (kernel, cost) in KERNELS.items():
    rng = torch.Generator().manual_seed(0)
    walks[name] = ebmlab.run(kernel, u, start, steps=BUDGET // cost, thin=1, rng=rng)

# %% [markdown]
# ## The failure: everything looks well
#
# Chains that start together accept most proposals, have many effective draws (ESS), and R-hat 1.
# Yet four samplers of five have seen one well in three: R-hat only compares chains with chains.
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
print("acceptance; ESS / 1000 gradients, R-hat: of chains that start together, apart")
for name, walk in walks.items():
    starts = walk.samples[:, :CHAINS], walk.samples[:, CHAINS:]
    rhat[name] = [float(metrics.rhat(s).max()) for s in starts]
    speed[name] = [float(metrics.ess(s).min()) / (CHAINS * BUDGET / 1000) for s in starts]
    share[name], row = shares(starts[0]), [walk.acceptance.mean(), *speed[name], *rhat[name]]
    print(f"{name:11}", *(f"{number:8.2f}" for number in row))

# %% [markdown]
# ## The cure: heat
#
# At T = 27 no barrier is higher than a nat and replicas cross them all; swaps, accepted with
# probability min(1, exp((1/T - 1/T')(E - E'))), bring what they find to T = 1. Per gradient it has
# fewer effective draws than the others say they have, and its alone are of the whole landscape.

# %% Chains that start apart, for 300 gradients; the time of those that start together; traces
field = ebmlab.landscape(u, ebmlab.Plane.xy(), -4.5, 4.5)
lines = [walks[name].samples[: 300 // cost, -3:] for name, (_, cost) in KERNELS.items()]
titles = ["exact draws", *(f"{name}, R-hat {apart:.2f}" for name, (_, apart) in rhat.items())]
axes = {"xlabel": "$y_1$", "ylabel": "$y_2$", "limits": (0.0, 20.0)}
how = {"samples": [exact, *[None] * 5], "trajectories": [None, *lines], "columns": 3} | axes
plot.landscapes([field] * 6, titles, **how).savefig(FIGURES / "03_walks.png")
spent = torch.arange(20, BUDGET, 20)
time = {name: share[name][spent // cost - 1] for name, (_, cost) in KERNELS.items()}
seen = torch.stack([weights, *(part[-1] for part in time.values())])
with plot.style():
    left, right = Figure(figsize=(9.4, 3.0), layout="constrained").subplots(1, 2)
    for k, place in enumerate(("left", "right", "top")):
        bars = left.barh(["exact", *KERNELS], seen[:, k], left=seen[:, :k].sum(1), color=f"C{k}")
        words = [f"{place} {share:.0%}" if share > 0.1 else "" for share in seen[:, k]]
        left.bar_label(bars, words, label_type="center", color="white", fontsize=8)
        right.plot(spent, time["tempering"][:, k])
        right.axhline(weights[k], color=f"C{k}", linestyle=":")
    left.set(xlabel="time in each well; all chains start at the top", ylim=(5.5, -0.5))
    right.set(xlabel="gradients per chain", ylabel="tempering (dotted: exact)")
    right.figure.savefig(FIGURES / "03_time.png")
both = torch.stack([walks[name].samples[:280, -3:, 0] for name in ("NUTS", "tempering")], -1)
plot.trace(both, ["$y_1$, NUTS", "$y_1$, tempering"]).savefig(FIGURES / "03_trace.png")
film = walks["tempering"].samples[:50, :CHAINS]
plot.animate(field, film, FIGURES / "03_tempering.gif", fps=8, tail=2, **axes)

# %% The claim: four samplers are content with one well, heat finds three and their weights
for name in ("Langevin", "MALA", "HMC", "NUTS"):
    assert rhat[name][0] < 1.05 < 2 < rhat[name][1], name
    assert time[name][:, 2].min() > 0.95, name
    assert speed[name][0] > 5 * speed["tempering"][0], name
    assert speed[name][1] < 0.2 * speed["tempering"][1], name
assert max(rhat["tempering"]) < 1.1
assert (time["tempering"][-1] - weights).abs().sum() < 0.2
