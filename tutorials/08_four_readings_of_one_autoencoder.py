# %% [markdown]
# # Four readings of one autoencoder
#
# **Question: PCA, sparse coding, VAE, VQ-VAE: all decode W z + b. What changes with inference?**

# %% The data first: digits of 8 × 8 pixels, and images that are none
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, data, energies, fit, methods, networks, plot, training

(FIGURES := Path("tutorials/figures")).mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
torch.manual_seed(0)  # weights of networks
images, label = data.digits()
order = torch.randperm(len(images), generator=rng)
(y, new), label = images[order].flatten(1).split([1400, 397]), label[order[1400:]]
kinds = {"digits": new, "negative": 1 - new, "noise": torch.rand(new.shape, generator=rng)}
kinds["shuffled"] = new.gather(1, kinds["noise"].argsort(1))

# %% [markdown]
# ## One energy, E(y, z) = ‖g(z) - y‖², four inferences
#
# | | z | F, whose mean is the loss | limit of z |
# |---|---|---|---|
# | PCA | 16 numbers, Wᵀ(y - b) | E | dimensions |
# | sparse | 128 numbers >= 0, by FISTA | E + λ ‖z‖₁ | sparsity |
# | VAE | 16 numbers of q = N(μ(y), s(y)²) | E_q[E] / 2σ² + KL(q ‖ N(0, 1)) + c | noise |
# | VQ-VAE | 4 codes of 16, those nearest to f(y) | E | the number of codes |
#
# With a z as long as y, F is 0 for *every* y. PCA limits where z lies, but not how far out it is.


# %%
def train(method: Method, steps: int, lr: float = 1e-2, size: int = 128) -> FreeEnergy:
    how = {"stepping": training.Stepping(training.falling_cosine), "rng": rng}
    fit(method, (None, y), steps=steps, batch_size=size, lr=lr, **how)
    return method.energy.requires_grad_(False)


def decode(free: FreeEnergy, of: Tensor) -> Tensor:
    return free.energy.decode(None, free.posterior(None, of, rng=rng).atoms[0])


unlimited, *limited = (train(methods.pca(64, k), 1, size=1400) for k in (64, 16))
limited.append(train(methods.sparse_coding(y[:128], 0.5, nonnegative=True, tolerance=0.1), 80))
for v in (0.3, 0.1, 0.05):  # σ²
    f, g = networks.GaussianHead(nn.Linear(64, 32)), nn.Linear(16, 64)
    limited.append(train(methods.vae(f, g, energies.GaussianNLL(v**0.5)), 600, 3e-2, 700))
for parts, k in ((1, 32), (2, 16), (4, 16)):
    f = nn.Sequential(networks.MLP(64, parts * 8, (128,)), nn.Unflatten(1, (parts, 8)))
    g, start = nn.Sequential(nn.Flatten(), nn.Linear(parts * 8, 64)), torch.randn(k, 8)
    limited.append(train(methods.vq_vae(f, g, start, parts=True), 600, 2e-2))
pca, sparse, _, _, vae, _, _, vq_vae = limited
models = {"no limit": unlimited, "PCA": pca, "sparse": sparse, "VAE": vae, "VQ-VAE": vq_vae}

# %% Who is a digit to whom: the share of images with F as low as on 95 % of new digits
kinds["stretched"] = pca.energy.decoder.bias + 4 * (decode(pca, new) - pca.energy.decoder.bias)
rows, share = torch.cat([new[7:9], *(of[9:10] for of in kinds.values())]), {}
for name, free in models.items():
    limit = free(None, new, rng=rng).quantile(0.95).clamp(min=1e-3)
    share[name] = [float((free(None, i, rng=rng) <= limit).float().mean()) for i in kinds.values()]
sheet = torch.stack([rows, *(decode(free, rows) for free in models.values())], dim=1)
how = {"headings": ["y", *models], "sides": ["digit", "digit", "digit", *list(kinds)[1:]]}
plot.images(sheet.view(-1, 1, 8, 8), 6, **how).figure.savefig(FIGURES / "08_reconstructions.png")

# %% [markdown]
# ## How many nats is z?
#
# KL(q ‖ N(0, 1)) in a VAE, at most log K for each code of a VQ-VAE, infinite for a real z. For a
# Gaussian y of variances λ no error at ½ Σ log max(1, λ / v) nats is below Σ min(λ, v) (Shannon).

# %% Error on new digits against nats
v, spread = torch.logspace(-1.5, 0, 400)[:, None], unlimited.energy.variances
least, nats = spread.minimum(v).sum(1), 0.5 * (spread / v).clamp(min=1).log().sum(1)
told = [float(free.posterior(None, new, rng=rng).information.mean()) for free in limited[2:5]]
told += [k * free.infer.capacity() for k, free in zip((1, 2, 4), limited[5:], strict=True)]
error = [float((decode(free, new) - new).square().sum(1).mean()) for free in limited]
lines = {"Gaussian": least, "PCA": 0 * nats + error[0], "sparse": 0 * nats + error[1]}
ax = plot.curves(lines, nats, xlabel="nats of z, not defined for PCA and sparse", ylabel="error")
ax.plot(told[:3], error[2:5], "o", color="#E69F00", label="VAE")
ax.plot(told[3:], error[5:], "s", color="#CC79A7", label="VQ-VAE")
ax.legend(frameon=False)
ax.figure.savefig(FIGURES / "08_nats.png")

# %% What z means: above, what its parts add to an image; below, two parts, a color for each digit
figure = Figure(figsize=(11.6, 6.0), layout="constrained")
for name, top, plane in zip(list(models)[1:], *figure.subplots(2, 4), strict=True):
    g, z = models[name].energy.decoder, models[name].posterior(None, new, rng=rng).atoms[0]
    if name == "VQ-VAE":  # four codes of each of the four parts
        book, weight = models[name].infer.codebook, g[1].weight.unflatten(1, (4, 8))
        added = torch.einsum("opd,kd->pko", weight, book.codes - book.codes.mean(0))[:, :4]
        seen = book.nearest(z) + 0.6 * torch.rand(len(new), 4) - 0.3  # spread over cells
    else:  # the sixteen numbers that change images most
        most = (z.var(0) * g.weight.square().sum(0)).argsort(descending=True)[:16]
        added, seen = g.weight.T[most], z[:, most]
    plot.images((0.5 + 0.5 * added / added.abs().max()).reshape(-1, 1, 8, 8), 4, top, title=name)
    plot.codes(seen[:, :2], label, plane, names=("first part of z", "second"))
figure.savefig(FIGURES / "08_codes.png")

# %% Drawn: from the VAE's prior, and from a kernel density of the codes, which any model has
drawn = {"data": new[:10], "VAE, prior": vae.energy.decode(None, torch.randn(10, 16))}
for name in ("PCA", "VAE", "VQ-VAE"):
    z = models[name].posterior(None, y, rng=rng).atoms[0]
    near = z[:10] + 0.35 * z.std(0) * torch.randn(z[:10].shape)
    own = book(book.nearest(near)) if name == "VQ-VAE" else near
    drawn[f"{name}, density"] = models[name].energy.decode(None, own)
sheet = torch.cat(list(drawn.values())).view(-1, 1, 8, 8)
plot.images(sheet, 10, sides=list(drawn)).figure.savefig(FIGURES / "08_samples.png")

# %% The claim: each limit tells digits from others, PCA's not how far; nats are what they must be
assert min(share.pop("no limit")) > 0.9
for name, (_, *other, far) in share.items():
    assert max(other) < 0.1, name
    assert far > 0.9 if name == "PCA" else far < 0.1, name
ratio = [e / least[(nats - r).abs().argmin()] for e, r in zip(error[2:], told, strict=True)]
assert ratio[3] < 0.95 < min(ratio[:3]) <= max(ratio[:3]) < 1.2
