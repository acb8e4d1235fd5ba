# %% [markdown]
# # Clusters as latents
#
# **Question: K-means, DeepCluster and SwAV infer one of K clusters, z, for each image. What is the
# same in them, and what keeps all images from landing in one?**

# %% The data first: digits of 8 x 8 pixels, and three views of each: crops, rotations, noise
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import ebmlab
from ebmlab import FreeEnergy, data, energies, inference, methods, networks, objectives, plot
from ebmlab.data.views import Compose, Crop, Noise, Rotate
from ebmlab.plot.style import ENERGY, PALETTE

(FIGURES := Path("tutorials/figures")).mkdir(parents=True, exist_ok=True)
SEED, K, STEPS, EVERY = 0, 10, 400, 20
rng = torch.Generator().manual_seed(SEED)
digits, labels = data.digits()
change = Compose((Crop(8, (0.6, 1.0)), Rotate(15), Noise(0.1)))
views = torch.stack([change(digits, rng) for _ in range(16)])
plot.images(torch.cat([digits[:10], *views[:3, :10]]), 10).figure.savefig(FIGURES / "12_views.png")


def pairs(n: int, rng: torch.Generator) -> tuple[tuple[Tensor, Tensor], ...]:
    which = torch.randint(1797, (n,), generator=rng)
    a, b = torch.rand(n, 16, generator=rng).topk(2).indices.T
    return ((views[a, which], views[b, which]),) * 2


# %% [markdown]
# ## One energy, four inferences of z
# K-means: E(y, z) = ‖y - c_z‖². For codes h and centers c of length one it is 2 - 2 c_z · h, and a
# second view x predicts z: E(x, y, z) = -Σ z_k log p_k(x), p = softmax(c · h(x) / τ).
#
# | name | z, inferred from y | what keeps clusters apart |
# |---|---|---|
# | sharpened | softmax(c · h(y) / ε) | nothing |
# | K-means | the nearest center; centers move to their means, every 20 steps | pixels |
# | DeepCluster | the nearest center; K-means of all codes, anew every 20 steps | new clusters |
# | SwAV | exp(c · h(y) / ε), scaled to equal shares of all clusters (Sinkhorn) | balance |


# %%
def embedded(name: str) -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(SEED)
    f = nn.Sequential(nn.Flatten(), networks.Expander(64, 128, 16))
    centers = networks.Prototypes(16, K)
    inferences = {
        "sharpened": lambda: inference.Centered(16, 0.05, momentum=1.0),  # its center stays 0
        "DeepCluster": lambda: inference.Clustered(centers, networks.Memory(1797, 16), every=20),
        "SwAV": lambda: inference.Sinkhorn(0.05),
    }
    free = FreeEnergy(energies.Assignment(centers, temperature=0.1), inferences[name]())
    method = ebmlab.Method(energies.JointEmbedding(f, f, free, x_ndim=3), objectives.Regularized())
    adam, seen = torch.optim.Adam(method.parameters(), lr=3e-3), []
    for _ in range(0, STEPS + 1, EVERY):
        h = f(digits).detach()
        nearest = nn.functional.one_hot(centers(h).argmax(1), K).float()
        seen.append((free.posterior(None, h).atoms[0], nearest))
        ebmlab.fit(method, pairs, steps=EVERY, optimizer=adam, rng=rng)
    return seen


def pixels() -> list[tuple[Tensor, Tensor]]:
    flat, seen = digits.flatten(1), []
    method = methods.kmeans(flat[torch.randperm(1797, generator=rng)[:K]])
    for _ in range(0, STEPS + 1, EVERY):
        q = method.energy.posterior(None, flat)
        z = q.atoms.gather(0, q.weights.argmax(0)[None])[0]
        seen.append((nn.functional.one_hot(z, K).float(),) * 2)
        ebmlab.fit(method, (None, flat), steps=1, batch_size=1797, rng=rng)
    return seen


names, steps = ("sharpened", "K-means", "DeepCluster", "SwAV"), range(0, STEPS + 1, EVERY)
runs = {name: pixels() if name == "K-means" else embedded(name) for name in names}

# %% The failure and three cures: the shares of the clusters over training
words = ("one cluster\ntakes all", "steady", "new at each K-means", "held equal")
panels = Figure(figsize=(10, 2.6), layout="constrained").subplots(1, 4, sharey=True)
for ax, text, (name, seen) in zip(panels, words, runs.items(), strict=True):
    shares = torch.stack([nearest.mean(0) for _, nearest in seen]).T
    ax.stackplot(steps, shares, colors=ENERGY.resampled(K)(range(K)), edgecolor="w", lw=0.5)
    ax.text(200, 0.5, text, ha="center", bbox={"fc": "w", "ec": "none", "alpha": 0.85})
    ax.set(title=name, xlabel="step", xlim=(0, STEPS), ylim=(0, 1))
panels[0].set_ylabel("shares of the clusters").figure.savefig(FIGURES / "12_shares.png", dpi=150)

# %% Sharp: H(z | y) near 0. Balanced: H(z) near log K. Telling: I(z; digit) = H(z) - H(z | digit)
titles, told = ("sharp: H(z | y)", "balanced: H(z) ≤ log K = 2.3", "telling: I(z; digit)"), []
for seen in runs.values():
    of_digits = (torch.stack([c[labels == d].mean(0) for d in range(10)]) for _, c in seen)
    within = torch.tensor([energies.entropies(share) for share in of_digits])
    of_all = torch.tensor([energies.entropies(z) for z, _ in seen])
    told.append(torch.cat([of_all, within.diff(dim=1)], dim=1))
panels = Figure(figsize=(10, 2.8), layout="constrained").subplots(1, 3, sharey=True)
for k, ax in enumerate(panels):
    each = {name: run[:, k] for name, run in zip(names, told, strict=True)}
    plot.curves(each, steps, ax, ylabel="" if k else "nats", title=titles[k]).set_ylim(-0.1, 2.6)
    if k:
        ax.get_legend().remove()
        ax.text(STEPS, 0.07, "all in one cluster", ha="right", fontsize=8, color=PALETTE[0])
panels[0].figure.savefig(FIGURES / "12_entropies.png", dpi=150)

# %% The mean image of each cluster at the end, a row for each; white where none is left
rows = []
for seen in runs.values():
    count = seen[-1][1].sum(0)
    mean = torch.einsum("nk,nchw->kchw", seen[-1][1] / count, digits).nan_to_num(1.0)
    rows.append(mean[count.argsort(descending=True)])
plot.images(torch.cat(rows), K, sides=names).figure.savefig(FIGURES / "12_clusters.png")

# %% The claim: sharpening alone leaves one cluster; each cure keeps all, sharp and telling
end = {name: run[-1] / torch.tensor(K).log() for name, run in zip(names, told, strict=True)}
assert end["sharpened"][1:].max() < 0.1
assert all(end[name][0] < 0.3 for name in names[1:]), end
assert all((end[name][1:] > torch.tensor([0.85, 0.4])).all() for name in names[1:]), end
