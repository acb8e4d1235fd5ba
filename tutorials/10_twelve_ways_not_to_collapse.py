# %% [markdown]
# # Twelve ways not to collapse
#
# **Question: two views of an image should have codes of low energy, which one code for all images
# does best. What keeps twelve methods from it?**

# %% The data first: digits of 8 x 8 pixels, each with 16 views: crops, rotations, noise
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import ebmlab
from ebmlab import data, methods, metrics, plot
from ebmlab.networks import MLP, Expander, Projector

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
SEED, STEPS, EVERY = 0, 300, 20
rng = torch.Generator().manual_seed(SEED)
order = torch.randperm(1797, generator=rng)
digits, labels = (part[order] for part in data.digits())
view = data.views
change = view.Compose((view.Crop(8, (0.6, 1.0)), view.Rotate(15), view.Noise(0.1)))
views = torch.stack([change(digits, rng) for _ in range(16)])
sheet = torch.cat([digits[None], views[:7]])[:, :5].transpose(0, 1).flatten(0, 1)
ax = plot.images(sheet, 8, headings=("image", *["view"] * 7))
ax.figure.savefig(FIGURES / "10_views.png")


def pairs(n: int, rng: torch.Generator) -> tuple[tuple[Tensor, Tensor], ...]:
    which = torch.randint(1797, (n,), generator=rng)
    a, b = torch.rand(n, 16, generator=rng).topk(2).indices.T
    return ((views[a, which], views[b, which]),) * 2


# %% [markdown]
# ## One network, whose code is a point of the plane; in the way of collapse stands
#
# | method | what keeps codes apart |
# |---|---|
# | joint embedding | nothing |
# | Siamese, SimCLR, MoCo, NNCLR | negatives: other images are pushed away |
# | BYOL, SimSiam | a predictor, and a target that stands still or follows slowly |
# | DINO | a slow teacher, centered so that no cluster wins, sharpened so that one must |
# | VICReg | the variance of each dimension is held, and no two are correlated |
# | Barlow Twins | the correlation of two views' dimensions is the identity |
# | LeJEPA | the codes of all images are spread as N(0, 1) in every direction |
# | SwAV, DeepCluster | clusters of equal share, or found anew by K-means, are predicted |

# %%
how = {"projection": 16, "x_ndim": 3}
small = {"hidden": 64, **how}
F = nn.Sequential
WAYS: dict[str, Callable[[nn.Module], ebmlab.Method]] = {
    "joint embedding": lambda f: methods.joint_embedding(F(f[:1]), x_ndim=3),
    "Siamese": lambda f: methods.siamese(F(f[:1]), x_ndim=3),
    "SimCLR": lambda f: methods.simclr(f, 64, temperature=0.2, **how),
    "MoCo": lambda f: methods.moco(f, 64, queue=512, temperature=0.2, decay=0.95, **how),
    "NNCLR": lambda f: methods.nnclr(f, 64, bottleneck=64, queue=512, temperature=0.2, **small),
    "BYOL": lambda f: methods.byol(f, 64, decay=0.95, **small),
    "SimSiam": lambda f: methods.simsiam(f, 64, bottleneck=16, **how),
    "DINO": lambda f: methods.dino(
        f, 64, outputs=32, hidden=64, bottleneck=16, target_temperature=0.06, decay=0.98, x_ndim=3
    ),
    "VICReg": lambda f: methods.vicreg(F(f, Projector(64, 64, 16)), 16, x_ndim=3),
    "Barlow Twins": lambda f: methods.barlow_twins(f, 64, **small),
    "LeJEPA": lambda f: methods.lejepa(f, 64, directions=64, **small),
    "SwAV": lambda f: methods.swav(f, 64, prototypes=32, frozen_steps=50, **small),
    "DeepCluster": lambda f: methods.deepcluster(
        f, 64, bank=2048, every=25, prototypes=(32,), **small
    ),
}


def train(way: Callable[[nn.Module], ebmlab.Method]) -> tuple[ebmlab.Method, dict, Tensor, float]:
    """A method, what was watched, the codes in units of their spread, and kNN accuracy."""
    torch.manual_seed(SEED)
    plane = F(nn.Flatten(), Expander(64, 128, 2))
    method, watch = way(F(plane, MLP(2, 64, (64,), nn.ReLU))), metrics.Collapse()
    options = {"steps": STEPS, "rng": rng, "lr": 3e-3, "every": EVERY, "progress": False}
    history = ebmlab.fit(method, pairs, watch=watch, **options).history
    method.eval()
    h = plane(digits).detach()
    h = (h - h.mean(0)) / h.std(0)
    # Far from the origin the order of cosines is that of distances.
    far = torch.cat([h, 0 * h[:, :1] + 10], 1).double()
    halves = far[:900], labels[:900], far[900:], labels[900:]
    return method, history, h, metrics.knn_accuracy(*halves, weighted=False)


trained = {name: train(way) for name, way in WAYS.items()}
for name, (_, H, _, k) in trained.items():
    print(name, round(k, 3), *(f"{x}: {H[x][0]:.2f} {H[x][-1]:.4f}" for x in ("effective_rank", "code_std", "code_spread")))
torch.save({n: (m, H, h, k) for n, (m, H, h, k) in trained.items() if 1}, "/tmp/L/t10.pt") if 0 else None
