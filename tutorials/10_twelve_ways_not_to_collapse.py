# %% [markdown]
# # Twelve ways not to collapse
#
# **Question: two views of an image should have codes of low energy, which one code for all images
# does best. What keeps twelve methods from it?**

# %% The data first: digits of 8 x 8 pixels, and views of them: crops, rotations, noise
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import ebmlab
from ebmlab import data, methods, metrics, plot
from ebmlab.data.views import Compose, Crop, Noise, Rotate
from ebmlab.networks import MLP, Expander, Projector

(FIGURES := Path("tutorials/figures")).mkdir(parents=True, exist_ok=True)
SEED, STEPS, EVERY = 0, 300, 20
rng = torch.Generator().manual_seed(SEED)
digits, labels = data.digits()
change = Compose((Crop(8, (0.6, 1.0)), Rotate(15), Noise(0.1)))
views = torch.stack([change(digits, rng) for _ in range(16)])
plot.images(torch.cat([digits[:10], *views[:3, :10]]), 10).figure.savefig(FIGURES / "10_views.png")


def pairs(n: int, rng: torch.Generator) -> tuple[tuple[Tensor, Tensor], ...]:
    which = torch.randint(1797, (n,), generator=rng)
    a, b = torch.rand(n, 16, generator=rng).topk(2).indices.T
    return ((views[a, which], views[b, which]),) * 2


# %% E(x, y) = head(g(f(x)), g(f(y))), f(x) in the plane; and what stands in the way of collapse
how, base, F = {"projection": 16, "x_ndim": 3}, {"hidden": 64, "x_ndim": 3}, nn.Sequential
small, bank = how | base, {"memory": 2048, "every": 25}
WAYS = {
    "joint embedding": lambda f: methods.joint_embedding(F(f[:1]), x_ndim=3),  # nothing
    # Negatives: other images of the batch, or of past ones, are pushed away.
    "Siamese": lambda f: methods.siamese(F(f[:1]), x_ndim=3),
    "SimCLR": lambda f: methods.simclr(f, 64, temperature=0.2, **how),
    "MoCo": lambda f: methods.moco(f, 64, memory=512, temperature=0.2, decay=0.95, **how),
    "NNCLR": lambda f: methods.nnclr(f, 64, bottleneck=64, memory=512, temperature=0.2, **small),
    # A target that stands still, or a slow teacher, and a predictor.
    "BYOL": lambda f: methods.byol(f, 64, decay=0.95, **small),
    "SimSiam": lambda f: methods.simsiam(f, 64, bottleneck=16, **how),
    # A slow teacher, centered so that no cluster wins, and sharpened so that one must.
    "DINO": lambda f: methods.dino(f, 64, outputs=32, bottleneck=16, decay=0.98, **base),
    # Each dimension keeps its variance, two views correlate as the identity, all are N(0, 1).
    "VICReg": lambda f: methods.vicreg(F(f, Projector(64, 64, 16)), 16, x_ndim=3),
    "Barlow Twins": lambda f: methods.barlow_twins(f, 64, **small),
    "LeJEPA": lambda f: methods.lejepa(f, 64, directions=64, **small),
    # All clusters get equal shares of the batch; or K-means finds them anew, in all the data.
    "SwAV": lambda f: methods.swav(f, 64, prototypes=32, frozen_steps=50, **small),
    "DeepCluster": lambda f: methods.deepcluster(f, 64, prototypes=(32,), **bank, **small),
}


def clamped(method: ebmlab.Method, h: Tensor) -> ebmlab.types.Potential:
    """E(seven, ·) over the plane of codes, 0 at its best image and 1 on average."""
    energy, x = method.energy.eval(), (labels == 7).nonzero()[0]
    beyond, head = F(*energy.online[0][1:], *energy.online[1:]), energy.head
    codes, free = beyond(h).detach(), isinstance(head, ebmlab.FreeEnergy)
    z = head.posterior(None, codes).atoms[0][x] if free else None  # the seven's cluster
    at = (lambda g: head.energy(g, codes[x], z)) if free else (lambda g: head(codes[x], g))
    e = at(codes).detach()
    return ebmlab.types.Potential(lambda y: (at(beyond(y)) - e.min()) / (e.mean() - e.min()))


def train(name: str) -> tuple:
    torch.manual_seed(SEED)
    plane = F(nn.Flatten(), Expander(64, 128, 2))
    method, before = WAYS[name](F(plane, MLP(2, 64, (64,), nn.ReLU))), plane(digits).detach()
    record = ebmlab.training.Recording(every=EVERY, watch=metrics.Collapse(patience=STEPS))
    history = ebmlab.fit(method, pairs, steps=STEPS, rng=rng, lr=3e-3, record=record).history
    h = plane.eval()(digits).detach()
    far = torch.cat([(h - h.mean(0)) / h.std(0), 0 * h[:, :1] + 10], 1)  # cosines as distances
    halves = far[::2].double(), labels[::2], far[1::2].double(), labels[1::2]
    return clamped(method, h), history, before, h, metrics.knn_accuracy(*halves, weighted=False)


trained = {name: train(name) for name in WAYS}

# %% The failure: over the plane the energy is a bowl, and all codes roll to its bottom
_, _, before, after, chance = trained.pop("joint embedding")
bowl = ebmlab.energies.SquaredDistance().given(torch.zeros(1, 2))
field, dots = ebmlab.landscape(bowl, ebmlab.Plane.xy(), -1.5, 1.5), [before[:200], after[:200]]
axes, titles = {"xlabel": "$h_1$", "ylabel": "$h_2$"}, ("no cure, before", "no cure, after")
figure = plot.landscapes([field] * 2, titles, samples=dots, limits=(0.0, 4.0), **axes)
figure.savefig(FIGURES / "10_failure.png")

# %% The cures by what they share; how well a point fits a seven; rank of what is compared, to 16
FAMILIES = {"negatives": 4, "asymmetry": 3, "regularizer": 3, "clusters": 2}
fields, sevens, figure = [], [], Figure(figsize=(10, 10.4), layout="compressed")
slots = [(row, k) for row, n in enumerate(FAMILIES.values()) for k in range(n)] + [(3, 3)]
runs = trained | {"no cure": (None, None, before, after, chance)}
for (row, k), (name, (u, _, first, h, accuracy)) in zip(slots, runs.items(), strict=True):
    plane = ebmlab.Plane(h.mean(0), (h if u else first).std(0).diag())
    ax, places = figure.add_subplot(4, 4, 4 * row + k + 1), plane.coordinates(h)
    plot.codes(places, labels, ax, names=("", "" if k else list(FAMILIES)[row]))
    ax.set(xlim=(-2.7, 2.7), ylim=(-2.7, 3.6), xticks=[], yticks=[])
    ax.text(-2.6, 3.5, f"{name}: {accuracy:.0%}", va="top", fontsize=12, weight="bold")
    for digit, dots in enumerate(ax.collections):
        dots.set_color(f"C{digit}")
        ax.texts[digit].set(color=f"C{digit}", visible=bool(u))
    fields += [ebmlab.landscape(u, plane, -2.7, 2.7, resolution=70)] if u else []
    sevens.append(places[labels == 7][:80])
beside = {"ncols": 2, "markerscale": 3, "title": "digits; %: told by neighbors"}
figure.legend(ax.collections, range(10), bbox_to_anchor=(0.99, 0.68), **beside)
figure.savefig(FIGURES / "10_codes.png")
titles = [f"{n}, rank {run[1]['effective_rank'][-1]:.1f}" for n, run in trained.items()]
figure = plot.landscapes(fields, titles, samples=sevens[:12], limits=(0.0, 1.6), **axes)
figure.axes[-1].set_ylabel("energy with a seven; 1 is the mean over all digits")
figure.savefig(FIGURES / "10_landscapes.png")

# %% The claim: without a cure codes shrink to a point and tell nothing; each cure keeps both
assert after.std() < 0.1 * before.std()
assert chance < 0.3
assert all(last.std() > 0.5 * first.std() for _, _, first, last, _ in trained.values())
assert min(accuracy for *_, accuracy in trained.values()) > 0.35
