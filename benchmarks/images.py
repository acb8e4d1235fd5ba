"""Image energies on one core of a CPU: chains from noise beside held-out Fashion-MNIST.

    EBMLAB_DATA=… python benchmarks/images.py [--seeds 0 1 2] [--epochs 2] [--quick] [--out FOLDER]

Ours is `ebmlab train image_energy --data fashion-mnist`. The baseline is an energy of the first 48
principal components, E(σ, c) = ‖c - f(σ, c)‖²/2σ², of the same form, as many steps, and drawn by
the same walk down noise levels; its pictures are as blurred as 48 components make them.

Both are judged by the features of one small classifier of the training images. Fréchet distances
of these features are no FID, and compare with nothing but each other. Settings were chosen by such
numbers against training images. "Edges" is the mean difference of neighboring pixels beside that
of held-out images; the halos of principal components count in it as edges do. The saved table was
made with MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ at 2e9, with which glibc keeps memory
and spares a fifth of the time.

What a GPU recipe in pixels needs, instead of codes, is told by benchmarks/image_energy_cuda.py.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from measure import circumstances
from torch import Tensor

from ebmlab import fit, methods, metrics, plot, run
from ebmlab.energies import Denoised
from ebmlab.energy import Energy
from ebmlab.networks import Denoiser
from ebmlab.runs import configured, train
from ebmlab.runs._image_energies.chains import LEVELS, STEP, STEPS, decoded, from_noise, longer
from ebmlab.runs._image_energies.features import class_features
from ebmlab.runs._image_energies.numbers import energies_at_lowest
from ebmlab.runs._images.image_sets import ImageSet, image_set
from ebmlab.samplers import noise_levels, noise_stages, walk_down
from ebmlab.training import Stepping, falling_cosine

COMPONENTS, LOW, HIGH = 48, 0.05, 5.0
JUDGED, LONG, SHOWN, NEIGHBORS, BLOCK = 1000, 64, 64, 5, 500
Features = Callable[[Tensor], Tensor]


class Made(NamedTuple):
    """What a model gave: pictures, energies of data, chains, longer chains; seconds it took."""

    name: str
    pictures: Tensor
    data: Tensor
    drawn: Tensor
    later: Tensor
    training: float
    sampling: float


def ours(images: ImageSet, data: str, seed: int, epochs: int) -> Made:
    """The recipe that `ebmlab train` offers."""
    config = configured("image_energy", data, seed=seed, epochs=epochs)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        built = train(config, Path(folder) / "run").built
        training = time.process_time() - begun
    built.method.eval()
    rng = torch.Generator().manual_seed(seed)
    begun = time.process_time()
    codes = from_noise(built, JUDGED, rng).state.y
    sampling = time.process_time() - begun
    known = energies_at_lowest(built, images.test_images[:JUDGED], rng)
    later = built.energy_of(longer(built, codes[:LONG], rng))
    pictures = decoded(built, codes)
    name = f"image_energy, seed {seed}"
    return Made(name, pictures, known, built.energy_of(codes), later, training, sampling)


def baseline(images: ImageSet, seed: int, steps: int) -> Made:
    """An energy of principal components."""
    begun = time.process_time()
    flat = images.images.flatten(1)
    mean = flat.mean(0)
    _, ways = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
    ways = ways[:, -COMPONENTS:]
    scale = ((flat - mean) @ ways).std()
    codes = (flat - mean) @ ways / scale
    torch.manual_seed(seed)
    method = methods.multi_scale_score(Denoised(Denoiser(COMPONENTS), LOW), LOW, HIGH, 0.0)
    rng = torch.Generator().manual_seed(seed)
    rate = torch.optim.AdamW(method.parameters(), lr=2e-3, weight_decay=0.0)
    fit(
        method,
        (None, codes),
        steps=steps,
        rng=rng,
        optimizer=rate,
        stepping=Stepping(schedule=falling_cosine),
    )
    training = time.process_time() - begun
    begun = time.process_time()
    stages = noise_stages(method.energy, noise_levels(HIGH, LOW, LEVELS), STEP)
    wide = (1 + HIGH**2) ** 0.5 * torch.randn(JUDGED, COMPONENTS, generator=rng)
    drawn = walk_down(stages, wide, steps=STEPS, rng=rng).state.y
    sampling = time.process_time() - begun
    last = stages[-1]
    more = run(last.sampler, last.u, drawn[:LONG], steps=10 * LEVELS * STEPS, rng=rng).state.y
    held = (images.test_images[:JUDGED].flatten(1) - mean) @ ways / scale
    held = held + LOW * torch.randn(held.shape, generator=rng)
    pictures = (drawn * scale @ ways.T + mean).reshape(-1, *images.images.shape[1:])
    energies = (heights(method.energy, c) for c in (held, drawn, more))
    name = f"PCA-{COMPONENTS} codes, seed {seed}"
    return Made(name, pictures.clamp(0, 1), *energies, training, sampling)


@torch.no_grad()
def heights(energy: Energy, codes: Tensor) -> Tensor:
    """Energies at the lowest level."""
    return energy(None, codes).double()


def judged(made: Made, features: Features, images: ImageSet) -> dict[str, Any]:
    """The numbers of one model."""
    held = images.test_images[:JUDGED]
    of, real = features(made.pictures), features(held)
    alike = metrics.precision_recall(of, real, NEIGHBORS)
    near = [metrics.nearest(t[:BLOCK], images.images) for t in (made.pictures, held)]
    far, theirs = (found.distance for found in near)
    closest = theirs.quantile(0.01)
    return {
        "model": made.name,
        "training, processor seconds": made.training,
        f"sampling {len(made.pictures)}, processor seconds": made.sampling,
        "Fréchet distance": float(metrics.frechet_distance(of, real)),
        **alike._asdict(),
        "edges, of those of held-out images": float(edges(made.pictures) / edges(held)),
        "E of held-out codes": [float(made.data.mean()), float(made.data.std())],
        "E of samples": [float(made.drawn.mean()), float(made.drawn.std())],
        "E of samples, 10 times longer": [float(made.later.mean()), float(made.later.std())],
        "nearest training image, median": [float(far.median()), float(theirs.median())],
        "nearer than 1 % of held-out images": float((far < closest).double().mean()),
    }


def edges(images: Tensor) -> Tensor:
    """The mean size of differences between neighboring pixels."""
    return images.diff(dim=-1).abs().mean() + images.diff(dim=-2).abs().mean()


def ceiling(features: Features, images: ImageSet) -> dict[str, Any]:
    """What training images themselves reach."""
    held, seen = images.test_images[:JUDGED], images.images[:JUDGED]
    of, real = features(seen), features(held)
    alike = metrics.precision_recall(of, real, NEIGHBORS)
    distance = float(metrics.frechet_distance(of, real))
    return {"model": "training images", "Fréchet distance": distance, **alike._asdict()}


def picture(made: Made, images: ImageSet, path: Path) -> None:
    """64 samples beside the training images that lie nearest."""
    samples = made.pictures[:SHOWN]
    index = metrics.nearest(samples, images.images).which
    sides = [t.reshape(8, 8, *samples.shape[1:]) for t in (samples, images.images[index])]
    title = f"{made.name}: samples; the nearest training image of each"
    ax = plot.images(torch.cat(sides, 1).flatten(0, 1), 16, title=title)
    ax.figure.savefig(path)  # pyright: ignore[reportAttributeAccessIssue]


def table(about: dict[str, Any], found: list[dict[str, Any]]) -> str:
    """Markdown, a column for each model."""
    head = (
        f"`{about['command']}`\n\n{about['machine']}, {about['threads']} thread; commit "
        f"{about['commit']}, {about['date']}. {JUDGED:,} samples of each; features are those of a "
        "classifier of ours.\nPairs: mean / standard deviation; of the nearest training image, "
        "samples / held-out images.\n\n"
    )

    def cell(value: Any) -> str:
        if isinstance(value, list):
            return " / ".join(f"{v:.4g}" for v in value)
        return value if isinstance(value, str) else f"{value:.4g}" if value is not None else ""

    names = list(dict.fromkeys(name for row in found for name in row))
    lines = [[name, *(cell(row.get(name)) for row in found)] for name in names]
    lines.insert(1, ["---"] * (len(found) + 1))
    return head + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> None:
    """Parse the command line, train, judge, draw, save as it goes."""
    parser = argparse.ArgumentParser(description="image energies on a CPU")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=2, help="of both; about 45 s of a core each")
    parser.add_argument("--quick", action="store_true", help="a few steps on digits")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = "digits" if options.quick else options.data
    images, epochs = image_set(data), 4 if options.quick else options.epochs
    features = class_features(images.images, images.labels, 30 if options.quick else 500)
    found = [ceiling(features, images)]
    about = circumstances(
        f"python benchmarks/images.py --seeds {' '.join(map(str, options.seeds))} "
        f"--epochs {epochs}"
    )
    models = [lambda s=s: ours(images, data, s, epochs) for s in options.seeds]
    models.insert(1, lambda: baseline(images, 0, epochs * (len(images.images) // 128)))
    for model in models:
        made = model()
        found.append(judged(made, features, images))
        print(json.dumps(found[-1], indent=1, ensure_ascii=False), flush=True)
        stem = "images_baseline" if made.name.startswith("PCA") else "images"
        if made.name.endswith("seed 0"):
            picture(made, images, options.out / f"{stem}.png")
        whole = json.dumps({"about": about, "found": found}, indent=1, ensure_ascii=False)
        (options.out / "images_cpu.json").write_text(whole + "\n", encoding="utf-8")
        (options.out / "images_cpu.md").write_text(table(about, found), encoding="utf-8")


if __name__ == "__main__":
    main()
