# %% [markdown]
# # What could the rest look like?
#
# **Question: of an image we see the upper half. The lower half could be several things: how does
# a model say so?**
#
# With a latent z, which is what x does not tell. One z is one answer; all z are a set of them.

# %% The data first: x is the upper half, y the lower one
import os
from pathlib import Path

import torch

import ebmlab
from ebmlab import data, methods, plot
from ebmlab.prediction import calibrate, predict
from ebmlab.training import Stepping, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
if "EBMLAB_DATA" in os.environ:  # Fashion-MNIST where its files are, else scikit-learn's digits
    held = data.fashion_mnist("test")[0]
    images, test, spare = data.fashion_mnist("train")[0][:6000], held[:1000], held[1000:2000]
else:
    shuffled = data.digits()[0][torch.randperm(1797, generator=torch.Generator().manual_seed(0))]
    images, test, spare = shuffled[:1000], shuffled[1000:1400], shuffled[1400:]
(x, y), (x_test, y_test), (x_spare, y_spare) = (i.chunk(2, dim=2) for i in (images, test, spare))
SHAPE, PIXELS, CODES = tuple(x.shape[1:]), x[0].numel(), 16

# %% [markdown]
# ## The failure: one answer
#
# The energy E(x, y) = ‖f(x) - y‖², low on the data, makes f(x) the mean of all y that go with x.
# The mean of two images is neither of them: it is blurred.
#
# ## The cure: one answer for each z
#
# | | formula | in code |
# |---|---|---|
# | energy | E(x, y, z) = ‖g(x, z) - y‖² | `Reconstruction(decoder)` |
# | z chosen | F(x, y) = min over z of E(x, y, z) | `FreeEnergy(energy, Enumerate(codes))` |
# | loss | mean of F on the data | `Regularized()` |
#
# Each datum teaches the z that does best on it. If z could be anything, it would carry y itself,
# F would be 0 everywhere and tell nothing; one of 16 codes carries at most log 16 = 2.77 nats.
# With one code, it is regression.


# %% The same network twice: with one code, and with sixteen
def train(codes: int) -> ebmlab.Method:
    torch.manual_seed(0)
    method = methods.image_prediction(SHAPE, SHAPE, codes, width=192)
    how = {"rng": torch.Generator().manual_seed(0), "stepping": Stepping(falling_cosine)}
    ebmlab.fit(method, (x, y), steps=800, lr=2e-3, **how)
    return method


regression, latent = train(1), train(CODES)
found = predict(latent, x_test, k=CODES)  # y (16, n, 1, h, w), one for each z
mean = predict(regression, x_test, k=1).y[0]
errors = (found.y - y_test).square().flatten(2).sum(2)
best = found.y[errors.argmin(0), torch.arange(len(test))]
used = errors.argmin(0).bincount(minlength=CODES) / len(test)
often = used.argsort(descending=True)
curve = errors[often].cummin(0).values.mean(1)
one = float((mean - y_test).square().flatten(1).sum(1).mean())


def steps(lower: torch.Tensor) -> float:
    """The mean step from pixel to pixel, relative to the data's: below 1 where it is blurred."""
    return float(lower.diff(dim=-1).abs().mean() / y_test.diff(dim=-1).abs().mean())


nats = float(-torch.xlogy(used, used).sum())
print(f"error: one answer {one:.2f}, best of 16 {curve[-1]:.2f}; z carries {nats:.2f} nats")
print(f"steps: one answer {steps(mean):.2f}, best of 16 {steps(best):.2f}")

# %% [markdown]
# ## Which set holds the truth?
#
# {y : F(x, y) ≤ τ} does with probability 90 % or more if τ is the ⌈0.9 (n + 1)⌉-th smallest F of
# n data that F has not seen. This is true of any F. What a better F buys is a smaller set: a
# union of 16 small balls in place of one large one.

# %% Coverage and volume, for promises from 50 % to 95 %
levels = torch.linspace(0.5, 0.95, 10)
models = {"one answer": regression.energy, "16 answers": latent.energy}
coverage, volume = {}, {}
for name, energy in models.items():
    sets = [calibrate(energy, x_spare, y_spare, float(level)) for level in levels]
    coverage[name] = [each.coverage(x_test, y_test).share for each in sets]
    rng = torch.Generator().manual_seed(0)
    logs = [each.log_volume(x_test[:50], rng).log_volume.mean() for each in sets]
    volume[name] = torch.stack(logs) / PIXELS

# %% What could be there, with the share of data that choose each z; k answers; the sets' sizes
rows, first = [0, 5, 1, 4, 9, 12], often[:5]
lower = [y_test[rows], torch.full_like(y_test[rows], 0.4), mean[rows], best[rows]]
lower += list(found.y[first][:, rows])
sheet = torch.stack([torch.cat([x_test[rows], part], dim=2) for part in lower], dim=1)
names = ["data", "x", "one answer", "best of 16"]
names += [f"z = {k + 1}: {used[k]:.0%}" for k in first.tolist()]
plot.images(sheet.flatten(0, 1), 9, headings=names).figure.savefig(FIGURES / "09_answers.png")
# A z alone can be worse than the mean: it learned only from the data that chose it.
both = {"best of the k most chosen": curve, "one answer, the mean": [one] * CODES}
ax = plot.curves(both, range(1, CODES + 1), xlabel="k", ylabel="squared error of y")
ax.plot(range(1, CODES + 1), errors[often].mean(1), "o", color="gray", label="the k-th alone")
ax.legend()
ax.figure.savefig(FIGURES / "09_best_of_k.png")
ax = plot.curves(volume, levels, xlabel="promised coverage", ylabel="log volume per pixel")
ax.figure.savefig(FIGURES / "09_volume.png")

# %% The claim: of several answers one is nearer and less blurred, and the sets keep the promise
assert float(curve[-1]) < 0.75 * one
assert steps(mean) < 0.95 * steps(best)
error = (levels * (1 - levels) * (1 / len(spare) + 1 / len(test))).sqrt()
for name in models:  # within four standard errors, of the calibration and of the test
    assert bool(((torch.tensor(coverage[name]) - levels).abs() < 4 * error).all()), name
assert bool((volume["16 answers"] < volume["one answer"]).all())
