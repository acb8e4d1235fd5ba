# %% [markdown]
# # Your classifier is an energy
#
# **Question: a classifier says p(label | y) = softmax f(y), of noise as well, and surely. Could it
# say how much of such a y there is?**
#
# A softmax does not see a number that is added to all logits. That number is free, and an energy:
# E(label, y) = -f(y)_label; with labels summed out, E(None, y) = -log Σ_k exp f(y)_k.

# %% The data first: images with labels, and odd ones: noise, and the same images inverted
import warnings
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

from ebmlab import Method, data, fit, metrics, plot
from ebmlab.energies import Classifier
from ebmlab.losses import difference
from ebmlab.methods import jem
from ebmlab.negatives import FromData, Replay
from ebmlab.networks import MLP
from ebmlab.objectives import Contrastive, DenoisingScore, GradientPenalty, LabelLikelihood
from ebmlab.protocols import Objective
from ebmlab.samplers import MALA, Langevin
from ebmlab.training import Stepping, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
images, labels = (t[order] for t in data.digits())
(y, y_test), (known, right) = images.split(1100), labels.split(1100)
noise = torch.rand(y_test.shape, generator=torch.Generator().manual_seed(1))
History = dict[str, list[float]]


def trained(
    shape: Objective | None, weight: float, steps: int, lr: float = 2e-3
) -> tuple[Classifier, History]:
    """The same network, trained on labels alone (None) or with a term that shapes p(y)."""
    torch.manual_seed(0)
    energy = Classifier(nn.Sequential(nn.Flatten(), MLP(64, 10, (128, 128))))
    alone = Method(energy, LabelLikelihood())
    method = alone if shape is None else jem(energy, weight, shape)
    how = {"stepping": Stepping(falling_cosine), "rng": torch.Generator().manual_seed(0)}
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of chains that stray
        done = fit(method, (known, y), steps=steps, batch_size=64, lr=lr, **how)
    return energy, done.history


def judged(energy: Classifier) -> dict[str, float]:
    """Accuracy and calibration, and how well E(None, y) tells odd images."""
    with torch.no_grad():
        p, usual = energy.probabilities(y_test), energy(None, y_test)
        odd = {"noise": energy(None, noise), "inverted": energy(None, 1 - y_test)}
    right_share = float((p.argmax(1) == right).double().mean())
    told = {name: metrics.auroc(usual, e) for name, e in odd.items()}
    return {"accuracy": right_share, "ECE": metrics.calibration_error(p, right), **told}


# %% [markdown]
# ## The failure: labels alone leave the energy free
#
# | | formula | in code |
# |---|---|---|
# | label | -log p(x \| y) = E(x, y) - E(None, y) | `LabelLikelihood()` |
# | image | shapes E(None, y), -log p(y) + c | `Unconditional(…)` |
# | both | label + weight · image | `jem(Classifier(f), weight, …)` |
#
# ## The next failure: the chains that JEM was published with
#
# E+ - E- with E- from Langevin chains is the gradient of -log p(y) where the chains follow the
# model. Nothing rejects a step: where E has grown steep, chains overshoot, their energies are
# pushed up where they land, and E grows steeper. The gap between data and chains runs away, and
# takes the classifier with it. A kernel that rejects, a held slope, smaller steps and a smaller
# weight cure it. Denoising makes no chains at all: E(None, y + σξ) must slope back to y. With a
# weight as small as here it learns no density to draw from, but holds E and its slope.

# %% Labels alone; two kinds of chains; and denoising
cold = Langevin.from_noise(1.0, 0.01)
pool = torch.rand(1000, *y.shape[1:], generator=torch.Generator().manual_seed(2))
wild = Contrastive(difference, Replay(pool, cold, 5))
tame = Contrastive(difference, FromData(MALA(1e-3), 3)) + 0.03 * GradientPenalty()
runs = {
    "labels alone": trained(None, 0.0, 1200),
    "unadjusted chains": trained(wild, 1.0, 600, lr=5e-3),
    "chains that reject": trained(tame, 0.1, 600, lr=1e-3),
    "denoising": trained(DenoisingScore((0.03, 0.3)), 0.03, 1200),
}
found = {name: judged(energy) for name, (energy, _) in runs.items()}
for name, each in found.items():
    print(f"{name:20}", "  ".join(f"{key} {value:.3f}" for key, value in each.items()))

# %% The gap of the chains; how sure each is, and how right; energies of usual and odd images
figure = Figure(figsize=(9.5, 7), layout="constrained")
gap_ax, sure_ax, *energy_axes = figure.subplots(2, 2).flat
gaps = {n: torch.tensor(h["gap"]).abs() for n, (_, h) in runs.items() if "gap" in h}
for name, gap in gaps.items():
    gap_ax.plot(torch.arange(1, len(gap) + 1) * 10, gap, label=name)
gap_ax.set(xlabel="step", ylabel="|E(chains) - E(data)|", yscale="log")
gap_ax.legend()
pair = {name: runs[name][0] for name in ("labels alone", "denoising")}
with torch.no_grad():
    sure = {n: metrics.reliability(e.probabilities(y_test), right, 8) for n, e in pair.items()}
    kinds = {"images": y_test, "noise": noise, "inverted": 1 - y_test}
    for ax, (name, e) in zip(energy_axes, pair.items(), strict=True):
        plot.energies({kind: e(None, part) for kind, part in kinds.items()}, ax, title=name)
plot.reliability(sure, sure_ax)
figure.savefig(FIGURES / "19_classifiers.png")

# %% The claim: chains that nothing rejects take the classifier along; denoising costs it nothing
alone, wild_one, tame_one, denoised = found.values()
assert wild_one["accuracy"] < 0.5 < 0.8 < tame_one["accuracy"]
assert float(gaps["unadjusted chains"][-1]) > 1e3 * float(gaps["chains that reject"].max())
assert denoised["accuracy"] > alone["accuracy"] - 0.01
assert denoised["ECE"] < alone["ECE"]
assert all(denoised[odd] > alone[odd] + 0.05 for odd in ("noise", "inverted"))
