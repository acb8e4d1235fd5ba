# %% [markdown]
# # Why words are easy and pictures are not
#
# **Question: hide a letter of a text, and half of an image. Both could be several things. Why is
# a softmax the whole answer to the first, and none to the second?**

# %% The data first: letters between their neighbors, lower halves of digits below upper ones
import math
from pathlib import Path

import torch
from torch import nn

import ebmlab
from ebmlab import data, methods, plot
from ebmlab.energies import Categorical
from ebmlab.networks import MLP
from ebmlab.objectives import Likelihood
from ebmlab.prediction import calibrate, calibrate_choices, predict
from ebmlab.training import Stepping, falling_cosine

(FIGURES := Path("tutorials/figures")).mkdir(parents=True, exist_ok=True)
PLACES, GRAYS, CODES, rng = 7, 17, 16, torch.Generator().manual_seed(0)
text, held = data.text().split(0.1)
spare_text, test_text = (part.opened(part.windows(PLACES)[::PLACES]) for part in held.split(0.5))
letters, grays = torch.arange(text.hidden), torch.arange(GRAYS)
images = data.digits()[0][torch.randperm(1797, generator=rng)]
x, y = (half.contiguous() for half in images.chunk(2, dim=2))
levels = (y * (GRAYS - 1)).round().long().flatten(1)  # pixels have 17 levels of gray
train, spare, test, P = slice(0, 1000), slice(1000, 1400), slice(1400, None), levels.shape[1]
truth = y[test].flatten(1)
print(f"{len(letters)} letters; {GRAYS}^{P} = 10^{P * math.log10(GRAYS):.0f} half images")


def fit(method: ebmlab.Method, source: object, steps: int, batch_size: int = 128) -> None:
    how = {"stepping": Stepping(falling_cosine), "lr": 3e-3, "batch_size": batch_size}
    ebmlab.fit(method, source, steps=steps, rng=torch.Generator().manual_seed(0), **how)


# %% [markdown]
# ## Words: a list of all answers
#
# | | formula | in code |
# |---|---|---|
# | energy | E(x, y) = -f(x)_y | `Categorical(network)` |
# | loss | E(x, y) + log Z(x), Z(x) = Σ_v exp(-E(x, v)) | `Likelihood(values)` |
# | set | {v : E(x, v) + log Z(x) ≤ τ}, τ from held-out data | `calibrate_choices` |

# %%
torch.manual_seed(0)
table = nn.Sequential(nn.Embedding(len(letters) + 1, 32), nn.Flatten())
words = Categorical(nn.Sequential(table, MLP(32 * PLACES, len(letters), (256,))))
fit(ebmlab.Method(words, Likelihood(letters)), lambda n, g: text.gaps(n, PLACES // 2, g), 800, 256)
judged = calibrate_choices(words, letters, *spare_text, level=0.9).judge(*test_text)
covered, size = judged.coverage.share, float(judged.sizes.double().mean())
print(f"words: {covered:.3f} of the sets hold the truth, with {size:.2f} letters on average")
rows = torch.arange(9) * (len(judged.right) // 9)
p = words.probabilities(test_text[0][rows]).detach()
names, *sides = (
    text.decode(t).replace(" ", "␣").replace("\n", "↵") for t in (letters, *test_text[0][rows])
)
ax = plot.answers(p, names, sets=judged.sets[rows], right=judged.right[rows], sides=sides)
ax.figure.savefig(FIGURES / "22_letters.png")

# %% [markdown]
# ## Pictures: a softmax fails twice
#
# **At each pixel** it knows how bright each may be, and not which go together: its mean is
# blurred, and a draw is grain. **Over a dictionary** of whole pictures it would know, but the
# right one is not among them, and errors fall as a small power of the dictionary's size.

# %%
torch.manual_seed(0)
top = nn.Sequential(nn.Flatten(), MLP(P, P * GRAYS, (192,)), nn.Unflatten(1, (P, GRAYS)))
pixels = Categorical(top, x_ndim=3, y_ndim=1)
fit(ebmlab.Method(pixels, Likelihood(grays)), (x[train], levels[train]), 250)
p = pixels.probabilities(x[test]).detach()
mean = p @ (grays / (GRAYS - 1))
drawn = p.flatten(0, 1).multinomial(CODES, replacement=True, generator=rng)
drawn = drawn.T.view(CODES, *truth.shape) / (GRAYS - 1)
sizes = torch.tensor([30, 100, 300, 1000])
miss = torch.stack([torch.cdist(truth, y[:k].flatten(1)).square().amin(1) for k in sizes])
power = float(((error := miss.mean(1))[-1] / error[0]).log() / (sizes[-1] / sizes[0]).log())
needed = 3 + math.log10(P / 12 / (GRAYS - 1) ** 2 / error[-1]) / power  # log10 of its size
print(f"dictionary: error ~ K^{power:.2f}, as small as that of rounding at K = 10^{needed:.0f}")

# %% [markdown]
# ## The cure: energies that need no sum
#
# F(x, y) = min over z of ‖g(x, z) - y‖². Each z is a whole answer, whose pixels go together, and
# {y : F(x, y) ≤ τ} holds the truth as often as promised, by the same rule as the letters'.

# %%
torch.manual_seed(0)
latent = methods.image_prediction(tuple(x.shape[1:]), tuple(y.shape[1:]), CODES, width=128)
fit(latent, (x[train], y[train]), 500)
sets = calibrate(latent.energy, x[spare], y[spare], level=0.9)
held_truth = sets.coverage(x[test], y[test]).share
found = predict(latent, x[test], k=CODES).y.flatten(2)
report = {}
for name, answers in {"pixels, mean": mean[None], "pixels, draws": drawn, "z": found}.items():
    errors = (answers - truth).square().sum(2)
    best = answers[errors.argmin(0), torch.arange(len(truth))]
    steps = [t.view_as(y[test]).diff(dim=-1).abs().mean() for t in (answers[0], truth)]
    report[name] = float(errors.amin(0).mean()), float(steps[0] / steps[1])
    print("{:14} best of {}: {:.2f}; grain {:.2f}".format(name, len(answers), *report[name]))
print(f"pictures: {held_truth:.3f} of the sets F <= {float(sets.threshold):.2f} hold the truth")
shown = [truth, mean, *drawn[:2], best, *found[:3]]
sheet = torch.stack([torch.cat([x[test], t.view_as(y[test])], 2)[:6] for t in shown], 1)
names = ["data", "mean", "a draw", "a draw", "best z", "z = 1", "z = 2", "z = 3"]
plot.images(sheet.flatten(0, 1), 8, headings=names).figure.savefig(FIGURES / "22_halves.png")

# %% The claim: both sets keep their promise; a softmax of pictures blurs, or knows no right answer
assert size < 6
assert abs(covered - 0.9) < 0.04  # two parts of a text are not quite alike
assert abs(held_truth - 0.9) < 4 * math.sqrt(0.09 * (1 / 400 + 1 / len(truth)))
assert report["pixels, mean"][1] < 0.85
assert report["z"][0] < 0.6 * report["pixels, draws"][0]
assert needed > 6
assert not bool((miss[-1] == 0).any())
