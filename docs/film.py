"""Draw the picture of the README: six objectives shape one energy from the same points.

python docs/film.py docs/six_objectives.gif
"""

import copy
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import ebmlab
from ebmlab import data, energies, methods, metrics, plot
from ebmlab.partition import nodes, quadrature, trapezoid
from ebmlab.samplers import Dense, EllipticalSlice

STEPS = (
    0,
    5,
    10,
    20,
    30,
    45,
    60,
    80,
    100,
    130,
    160,
    200,
    250,
    300,
    370,
    450,
    550,
    700,
    850,
    1000,
    1200,
)
rng = torch.Generator().manual_seed(0)
toy = data.toys.two_moons
y, held_out = toy(20_000, rng), toy(5_000, rng)
entropy = -float(toy.log_density(held_out).mean())
half = torch.full((2,), 4.0)
base = energies.Gaussian(y.mean(0), y.T.cov())
chains = {"pool": y[:256], "sampler": EllipticalSlice(Dense(base.scale), base.mean), "steps": 1}


def net() -> energies.MLP:
    """The same weights at the start for all."""
    torch.manual_seed(0)
    return energies.MLP(2)


def mixture() -> ebmlab.Method:
    """Which of 24 Gaussians y came from is the latent; they start near the middle."""
    start = torch.randn(24, 2, generator=torch.Generator().manual_seed(3))
    return methods.gmm(0.7 * start, torch.ones(24), regularization=1e-3)


SIX = {
    "exact likelihood": methods.likelihood(net(), *nodes(-1.5 * half, 1.5 * half, 64, trapezoid)),
    "contrastive divergence": methods.persistent_cd(net() + base, **chains),
    "noise contrast": methods.conditional_nce(net()),
    "denoising score": methods.denoising_score(net(), 0.2),
    "energy discrepancy": methods.energy_discrepancy(net()),
    "a latent variable": mixture(),
}
TOLD = {
    "exact likelihood": "push up everywhere, exactly",
    "contrastive divergence": "push up where chains walk",
    "noise contrast": "tell data from shifted data",
    "denoising score": "point from noise to data",
    "energy discrepancy": "data lie lower than around",
    "a latent variable": "z: which of 24 Gaussians",
}


def states(name: str, method: ebmlab.Method) -> list[ebmlab.Energy]:
    """The energy at each of `STEPS`."""
    draws, kept, done = torch.Generator().manual_seed(1), [], 0
    learned = [p for p in method.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=4e-3) if name != "a latent variable" else None
    for step in STEPS:
        count = (step - done) if optimizer else min(4, step - done)
        for _ in range(count):
            rows = torch.randint(len(y), (256,), generator=draws) if optimizer else slice(4000)
            loss = method(None, y[rows], draws)
            if optimizer:
                optimizer.zero_grad()
                loss.value.backward()
                optimizer.step()
            loss.commit()
        done = step
        kept.append(copy.deepcopy(method.energy))
    return kept


def frame(step: int, k: int, films: dict[str, list[ebmlab.Energy]]) -> Image.Image:
    """Six landscapes at one moment, with the exact NLL of data that none of them saw."""
    figure = Figure(figsize=(8.0, 5.6), layout="constrained", dpi=100)
    canvas = FigureCanvasAgg(figure)
    for ax, (name, film) in zip(figure.subplots(2, 3).flat, films.items(), strict=True):
        u = film[k].given()
        with torch.no_grad():
            log_z = quadrature(u, -2 * half, 2 * half, resolution=200).log_z
            nll = float(metrics.nll(u, held_out, log_z))
        field = ebmlab.landscape(u, ebmlab.Plane.xy(), -2.8, 2.8, 70)
        plot.contour(field, ax=ax, limits=(0.0, 9.0), colorbar=False)
        ax.scatter(*y[:150].T, s=3, color="#E69F00", linewidths=0)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title(f"{name}   {nll:.2f} nats", fontsize=11)
        ax.text(
            0.5, 0.02, TOLD[name], transform=ax.transAxes, ha="center", fontsize=8.5, color="#444"
        )
    figure.suptitle(f"step {step}: one energy, six ways to shape it (least: {entropy:.2f} nats)")
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def main(path: Path) -> None:
    """Train all, and save the film: one palette for all frames, the last one stays."""
    films = {name: states(name, method) for name, method in SIX.items()}
    frames = [frame(step, k, films) for k, step in enumerate(STEPS)]
    palette = frames[-1].quantize(96)
    small = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    pauses = [250] * (len(small) - 1) + [4000]
    small[0].save(path, save_all=True, append_images=small[1:], duration=pauses, loop=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
