# %% [markdown]
# # An image energy from nothing
#
# **Question: what does it take for chains that begin as noise to end as pictures?**
#
# First in pixels, where an energy runs away from its own chains; then held; then in codes.

# %% The data first: digits of 8 × 8 pixels; `ebmlab train image_energy` does the same of garments
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Method, data, energies, fit, methods, metrics, plot
from ebmlab.negatives import Replay
from ebmlab.networks import Denoiser, GaussianHead, StridedDecoder, StridedEncoder
from ebmlab.objectives import GradientPenalty
from ebmlab.samplers import Langevin, noise_levels, noise_stages, run, walk_down
from ebmlab.training import Stepping, falling_cosine

FIGURES = Path("tutorials/figures")
FIGURES.mkdir(parents=True, exist_ok=True)
images = data.digits()[0]
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
train, held = images[order[:-500]], images[order[-500:]]
shape, rng = (1, images.shape[-2], images.shape[-1]), torch.Generator().manual_seed(0)

# %% [markdown]
# ## Two ways to run away
#
# | formula | code |
# |---|---|
# | E₊ - E₋, chains that last | `methods.igebm(E, pool, sampler, alpha=0)` |
# | + E₊² + E₋² + 0.1 ‖∂E/∂y‖² at the data | `alpha=1`, `+ 0.1 * GradientPenalty()` |
#
# Where chains are too short to follow, E may fall on the data and rise at the chains for ever.

# %%
SAMPLER = Langevin(10.0, Langevin.from_noise(10.0, 0.02).temperature, clamp=0.05, box=(0.0, 1.0))


def in_pixels(alpha: float, penalty: float) -> tuple[Tensor, list[float]]:
    """Chains of an energy of pixels, and how far apart it held data and them."""
    torch.manual_seed(0)
    energy, pool = energies.ConvNet(1, 16, 2), torch.rand(256, *shape, generator=rng)
    shaped = methods.igebm(energy, pool, SAMPLER, steps=10, alpha=alpha)
    method = Method(energy, shaped.objective + penalty * GradientPenalty())
    done = fit(method, (None, train), steps=150, batch_size=32, lr=1e-3, rng=rng)
    chains = next(part for part in method.modules() if isinstance(part, Replay)).pool
    return chains, [abs(gap) for gap in done.history["gap"]]


wild, running = in_pixels(alpha=0.0, penalty=0.0)
tame, holding = in_pixels(alpha=1.0, penalty=0.1)
print(f"gap: free {running[-1]:.3g}, held {holding[-1]:.3g}")

# %% [markdown]
# ## Codes that know their noise
#
# | formula | code |
# |---|---|
# | ‖y - g(z)‖²/2s² + E(σ, z) | `Reconstruction(g, GaussianNLL(s), prior)` |
# | E(σ, z) = ‖z - f(σ, z)‖²/2σ² | `Denoised(Denoiser(dim))` |
# | bound + ½ ‖σ ∇E(σ, z + σξ) - ξ‖² | `Encoded(Amortized(f), MultiScaleScore())` |
#
# No chain runs while it learns, and wide noise joins what narrow noise parts.

# %%
DIM, LOW, HIGH = 16, 0.1, 3.0
torch.manual_seed(0)
prior = energies.Denoised(Denoiser(DIM, 128), LOW)
coder = GaussianHead(StridedEncoder(shape, 2 * DIM))
method = methods.image_energy(coder, StridedDecoder(DIM, shape), prior, low=LOW, high=HIGH)
how = {"lr": 2e-3, "stepping": Stepping(falling_cosine), "rng": rng}
done = fit(method, (None, train), steps=1000, batch_size=128, **how)
stages = noise_stages(prior, noise_levels(HIGH, LOW, 40), step_size=0.2)
start = (1 + HIGH**2) ** 0.5 * torch.randn(500, DIM, generator=rng)
chain = walk_down(stages, start, steps=5, thin=5, rng=rng)
decode, shown = method.energy.decode, [0, 9, 17, 25, 32, 39]
with torch.no_grad():
    made = decode(None, chain.state.y)
    strip = torch.cat([decode(None, codes[:10]) for codes in chain.samples[shown]])
last = stages[-1]
later = run(last.sampler, last.u, chain.state.y, steps=1000, rng=rng).state.y
with torch.no_grad():
    mean, log_std = coder(held)
    spread = (log_std.exp().square() + LOW**2).sqrt()
    known = mean + spread * torch.randn(mean.shape, generator=rng)
    heights = {"held out": last.u(known), "chains": last.u(chain.state.y)}
    heights["5 × longer"], ends = last.u(later), decode(None, later)

# %% What there is to see: noise, strokes in noise, digits; and whether they stay
sheets, sides = (held, wild, tame, made, ends), ("data", "free", "held", "codes", "5 × longer")
ax = plot.images(torch.cat([sheet[:10] for sheet in sheets]), 10, sides=sides)
ax.figure.savefig(FIGURES / "18_chains.png")
levels = [f"σ = {noise_levels(HIGH, LOW, 40)[k]:.2f}" for k in shown]
plot.images(strip, 10, sides=levels).figure.savefig(FIGURES / "18_from_noise.png")
figure = Figure(figsize=(8.6, 3.0), layout="constrained")
left, right = figure.subplots(1, 2)
left.semilogy(running, label="free")
left.semilogy(holding, label="held")
left.set(xlabel="record", ylabel="|E₊ - E₋|", title="in pixels")
left.legend()
plot.energies(heights, right, title="in codes, at the lowest noise")
figure.savefig(FIGURES / "18_energies.png")

# %% Fréchet distances from held-out images, of 20 principal components
ways = torch.linalg.eigh(train.flatten(1).T.cov()).eigenvectors[:, -20:]
of = {name: batch.flatten(1) @ ways for name, batch in zip(sides, sheets, strict=True)}
distances = {name: float(metrics.frechet_distance(of[name], of["data"])) for name in sides[1:]}
print({name: round(distance, 3) for name, distance in distances.items()})
print({name: round(float(height.mean()), 1) for name, height in heights.items()})

# The claims
assert running[-1] > 10 * holding[-1]
in_pixels_at_best = min(distances["free"], distances["held"])
assert max(distances["codes"], distances["5 × longer"]) < 0.4 * in_pixels_at_best
assert abs(heights["chains"].mean() - heights["held out"].mean()) < 2 * heights["held out"].std()
