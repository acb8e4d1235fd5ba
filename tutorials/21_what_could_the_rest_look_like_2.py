# %% [markdown]
# # What could the rest look like? II
#
# **Question: sixteen codes answered one question, the lower half given the upper one. Can one
# energy answer for any part of an image, and say what each answer costs?**
#
# Yes: an energy of whole images, with the pixels that are known clamped *inside* y.

# %% The data first: images, and three questions about each
import os
from pathlib import Path

import torch
from torch import Tensor, nn

import ebmlab
from ebmlab import Energy, Method, data, metrics, networks, plot
from ebmlab.objectives import MultiScaleScore
from ebmlab.samplers import Langevin
from ebmlab.training import falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
if "EBMLAB_DATA" in os.environ:  # Fashion-MNIST where its files are, else scikit-learn's digits
    train, test = data.fashion_mnist("train")[0][:20_000], data.fashion_mnist("test")[0][:100]
else:
    shuffled = data.digits()[0][torch.randperm(1797, generator=torch.Generator().manual_seed(0))]
    train, test = shuffled[:1697], shuffled[1697:]
EVENT, D, HALF = tuple(train.shape[1:]), train[0].numel(), train.shape[-1] // 2
PARTS, ANSWERS, LOW, HIGH = min(D, 100), 8, 0.05, 3.0
rng = torch.Generator().manual_seed(0)
masks = {n: torch.zeros(EVENT, dtype=torch.bool) for n in ("upper half", "left half", "a grid")}
masks["upper half"][:, :HALF] = masks["left half"][..., :HALF] = masks["a grid"][:, ::2, ::2] = (
    True
)

# %% [markdown]
# | | formula | in code |
# |---|---|---|
# | energy | E(σ, y) = ½ ‖w - g(w, σ)‖², w_i = v_i·(y - μ) / √(λ_i + σ²) | `Corrected` |
# | objective | ½ ‖σ ∇E(σ, y + σξ) - ξ‖² | `MultiScaleScore` |
# | known pixels | u(free) = E(σ, y), y held where mask is True | `given(σ, y=…, mask=…)` |
#
# Without g this is the Gaussian of the data's mean and covariance, at every noise level σ. The
# network g corrects it, less where there is more noise.


# %%
class Corrected(Energy):
    x_ndim, y_ndim = 1, 3

    def __init__(self) -> None:
        super().__init__()
        variances, v = torch.linalg.eigh(train.flatten(1).T.cov())
        self.variances, self.v = variances.flip(0).clamp(min=0), v.flip(1)
        self.g = networks.MLP(PARTS + 1, PARTS, (256, 256))
        nn.init.zeros_(self.g[-1].weight)
        nn.init.zeros_(self.g[-1].bias)

    def forward(self, sigma: Tensor, y: Tensor, z: None = None) -> Tensor:
        spread = self.variances + sigma.square()
        w = (y - train.mean(0)).flatten(-3) @ self.v * spread.rsqrt()
        inputs = torch.cat([w[..., :PARTS], sigma.log().expand(*w.shape[:-1], 1)], -1)
        g = (self.variances / spread)[..., :PARTS] * self.g(inputs)
        return 0.5 * (w - nn.functional.pad(g, (0, D - PARTS))).square().sum(-1)


torch.manual_seed(0)
gaussian, energy = Corrected(), Corrected()
how = {"schedule": falling_cosine, "rng": rng, "progress": False, "lr": 2e-3}
learned = Method(energy, MultiScaleScore(LOW, HIGH, time=0.0, draws=1))
ebmlab.fit(learned, (None, train), steps=1000, **how)

# %% [markdown]
# ## The failure: chains at one level; the cure: from wide noise to narrow
#
# At σ = 0.05 the landscape is narrow valleys, and chains that begin in noise find none in time. At
# σ = 3 it is one bowl. A chain goes down level by level, and the known pixels get noise of the
# level too, since E(σ, y) speaks of noisy images. One step against the slope removes the last.


# %%
def answers(model: Energy, mask: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    """Whole images (k, n, *event), and their energies at the lowest level."""
    seen = test.repeat(ANSWERS, 1, 1, 1)
    y = train.mean(0) + HIGH * torch.randn(seen.shape, generator=rng)
    for level in levels:
        noisy = seen + level * torch.randn(seen.shape, generator=rng)
        u = model.given(level[None], y=noisy, mask=mask)
        chain = ebmlab.run(Langevin(0.15 * float(level) ** 2), u, u.take(y), steps=4, rng=rng)
        y = u.fill(chain.state.y)
    u = model.given(levels[-1:], y=seen, mask=mask)
    y = u.fill(u.take(y) - LOW**2 * u.value_and_grad(u.take(y))[1]).unflatten(0, (ANSWERS, -1))
    return y, energy(levels[-1:], y).detach()


down = torch.logspace(torch.tensor(HIGH).log10(), torch.tensor(LOW).log10(), 30)
found = {name: answers(energy, mask, down) for name, mask in masks.items()}
plain = {name: answers(gaussian, mask, down)[0] for name, mask in masks.items()}
stuck = answers(energy, masks["upper half"], down[-1:].expand(30))

# %% [markdown]
# ## What is a set of answers worth?
#
# The energy score, E‖Y - y‖ - ½ E‖Y - Y'‖, is least for the law of y itself. It is the distance
# where there is one answer, and the Gaussian's mean is the best linear one.

# %%
table = {}
for name, mask in masks.items():
    sets = plain[name].mean(0)[None], plain[name], found[name][0]
    atoms = torch.ones(1), None, None
    each = zip(sets, atoms, strict=True)
    scores = [metrics.energy_score(y[..., ~mask], test[:, ~mask], weights=w) for y, w in each]
    table[name] = [float(score.mean()) for score in scores]
    print(f"{name:10}", "one answer {:.3f}, Gaussian {:.3f}, energy {:.3f}".format(*table[name]))
low = {"data": energy(down[-1:], test).detach(), "answers": found["upper half"][1].flatten()}
low["one level only"] = stuck[1].flatten()
print("energies:", {name: round(float(each.median())) for name, each in low.items()})

# %% The answers, with the energy below each
sheet, captions = [], []
for name, mask in masks.items():
    for i in (1, 2):
        sheet += [test[i : i + 1], test[i : i + 1] * mask + 0.4 * ~mask, found[name][0][:5, i]]
        captions += [f"E = {low['data'][i]:.0f}", name]
        captions += [f"E = {e:.0f}" for e in found[name][1][:5, i]]
sheet += [test[1:3], stuck[0][:5, 1]]
captions += ["", "", *(f"E = {e:.0f}" for e in stuck[1][:5, 1])]
names = ["data", "known", *["answer"] * 5]
ax = plot.images(torch.cat(sheet), 7, headings=names, captions=captions)
ax.figure.savefig(FIGURES / "21_answers.png")
plot.energies(low).figure.savefig(FIGURES / "21_energies.png")

# %% The claim: one energy answers all three, better than a Gaussian, at the energies of data
for name, mask in masks.items():
    assert table[name][2] < table[name][1] < table[name][0], name
    assert torch.equal(found[name][0][..., mask], test[:, mask].expand(ANSWERS, -1, -1)), name
assert low["one level only"].median() > 2 * low["data"].median()
assert low["answers"].median() < 1.3 * low["data"].median()
