# %% [markdown]
# # Limiting the information of z
#
# **Question: with a z that can say everything, every y is predicted and no energy is high. How can
# z be kept short?**

# %% The data first: three blurred arms, whose density p and entropy h = -E log p are known
import math
from pathlib import Path

import torch
from matplotlib.figure import Figure

import ebmlab
from ebmlab import FreeEnergy, data, energies, inference, methods, networks, objectives, plot

(FIGURES := Path("tutorials/figures")).mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
torch.manual_seed(0)  # weights of networks
law = data.toys.Pinwheel(arms=3, twist=0.0)
y, new = law(2000, rng), law(2000, rng)
h = -float(law.log_density(law(20000, rng)).mean())

# %% [markdown]
# ## One energy, one loss
#
# E(y, z) = ‖y - g(z)‖², and F(y) is E at the z inferred, plus T · nats of z where T > 0. The loss
# is the mean of F: nothing pushes up. Measured are the nats of z, D = E‖y - g(z)‖², and the *low
# volume*: the share of the window where F is as low as on 95 % of new data, near 1 at collapse.


# %%
def train(method: ebmlab.Method, steps: int, size: int = 128) -> FreeEnergy:
    ebmlab.fit(method, (None, y), steps=steps, batch_size=size, lr=1e-2, rng=rng)
    return method.energy


def low(u: ebmlab.types.Potential) -> tuple[ebmlab.slices.Landscape, float]:
    field = ebmlab.landscape(u, ebmlab.Plane.xy(), resolution=60)
    return field, float((field.energy <= u(new).quantile(0.95).clamp(min=1e-3)).float().mean())


@torch.no_grad()
def measure(free: FreeEnergy) -> tuple[ebmlab.slices.Landscape, float, float, float]:
    def smooth(y: torch.Tensor) -> torch.Tensor:  # the same draws at every y, for even contours
        mean, log_std = free.infer.encoder(y)
        error = (free.energy.decode(None, mean + log_std.exp() * draws) - y).square().sum(-1)
        return error.mean(0) + free.temperature * free.posterior(None, y, rng=rng).information

    draws = torch.randn(128, 1, 2, generator=rng)
    nats = free.posterior(None, new, rng=rng).information
    distortion = float((free(None, new, rng=rng) - free.temperature * nats).mean())
    u = ebmlab.types.Potential(smooth) if free.temperature else free.given(rng=rng)
    return *low(u), distortion, float(nats.mean())


# %% [markdown]
# ## The failure: as many numbers in z as in y. The cures: fewer, discrete, noisy, sparse
#
# | z | limited by | nats |
# |---|---|---|
# | in R² or in R, by descent from four starts | dimensions | not counted |
# | one of K codes (K-means) | their number | at most log K |
# | N(μ(y), σ(y)²), F = E + T · KL(· ‖ N(0, 1)) | noise, the more the warmer | KL |
# | 16 entries >= 0, F = E + λ ‖z‖₁ | sparsity | not counted |


# %%
def decoded(dim: int, ways: list[ebmlab.free_energy.Inference], t: float = 0) -> FreeEnergy:
    energy = energies.Reconstruction(networks.MLP(dim, 2, (32, 32)), takes_x=False)
    train(ebmlab.Method(FreeEnergy(energy, ways[0], t), objectives.Regularized()), 250)
    return FreeEnergy(energy, ways[1], t)  # looked at more exactly than trained


centers = energies.kmeans_plus_plus(y, 48, rng)
codes = {k: measure(train(methods.kmeans(centers[:k]), 20, 2000)) for k in (1, 3, 6, 12, 24, 48)}
warm = {}
for t in (3.0, 0.5, 0.1, 0.02, 0.003):
    encoder = networks.GaussianHead(networks.MLP(2, 4, (32, 32)))
    warm[t] = measure(decoded(2, [inference.Amortized(encoder, k) for k in (1, 32)], t))
starts = torch.tensor([[-1.5, -1.5], [-0.5, 1.5], [0.5, -1.5], [1.5, 1.5]])
two, one = (
    measure(decoded(d, [inference.Descent(s, steps=k, step_size=0.1) for k in (10, 40)]))
    for d, s in ((2, starts), (1, starts[:, :1]))
)
sparse = measure(train(methods.sparse_coding(y[:16], 0.3, nonnegative=True, tolerance=1e-3), 50))

# %% Too much z, too little, and four cures; above each the share of the window that is low
six = {"2 numbers": two, "1 code": codes[1], "12 codes": codes[12]}
six |= {"1 number": one, "noisy": warm[0.1], "16 sparse": sparse}
titles = [f"{name}: {row[1]:.0%} low" for name, row in six.items()]
how = {"limits": (0.0, 1.5), "xlabel": "$y_1$", "ylabel": "$y_2$", "columns": 3, "data": y[:150]}
plot.landscapes([r[0] for r in six.values()], titles, **how).savefig(FIGURES / "07_landscapes.png")

# %% [markdown]
# ## Rate and distortion
#
# However z is made, I(y; z) >= h - log(πe D) in the plane (Shannon), and log K and the mean KL are
# no less than I(y; z): to reconstruct costs nats. The least volume is that of the density itself.

# %%
least = low(ebmlab.FunctionEnergy(lambda y: -law.log_density(y), ("y",)).given())[1]
nats = torch.linspace(0, 7, 71)
bound = (h - nats).exp() / (math.pi * math.e)
told = {"codes": [math.log(k) for k in codes], "noisy": [row[3] for row in warm.values()]}
with plot.style():
    left, right = Figure(figsize=(8.6, 3.1), layout="constrained").subplots(1, 2)
    plot.curves({"Shannon": bound}, nats, left, xlabel="nats of z", ylabel="D", logy=True)
    plot.curves({"least": 0 * nats + least}, nats, right, xlabel="nats of z", ylabel="low volume")
    for name, rows, color in (("codes", codes, "C1"), ("noisy", warm, "C2")):
        for ax, i in ((left, 2), (right, 1)):
            ax.plot(told[name], [row[i] for row in rows.values()], "o--", color=color, label=name)
            ax.legend()
    left.figure.savefig(FIGURES / "07_rate_and_distortion.png")

# %% The claim: an unlimited z makes every energy low, a limited one does not, and Shannon holds
assert two[1] > 0.98
assert max(row[1] for row in (codes[12], one, warm[0.1], sparse)) < 0.35
bounds = [h - math.log(math.pi * math.e * row[2]) for row in (*codes.values(), *warm.values())]
assert all(a > b for a, b in zip(told["codes"] + told["noisy"], bounds, strict=True))
