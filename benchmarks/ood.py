"""Out of distribution: which energy tells odd images from usual ones, without having seen any.

    EBMLAB_DATA=… python benchmarks/ood.py [--seeds 3] [--share 0.9] [--out FILE] [--picture FILE]
                                              [--validate]

Everything is fitted on 50,000 training images of one set; spreads and means come from the other
10,000. 4,000 test images, drawn at random, are then judged against as many of another set, flat,
inverted and blurred images, noise, and images upside down, each AUROC by the same number. Nothing
is fitted to odd images, and `--validate`, which sees none, tells held-out nats for the numbers of
components. `--share` makes the table for other numbers of codes.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import torch
from measure import circumstances
from torch import Tensor, nn

from ebmlab import FunctionEnergy, methods
from ebmlab.data import fashion_mnist, mnist, views
from ebmlab.energies import (
    Components,
    Density,
    DensityMixture,
    Gaussian,
    Shells,
    Subspace,
    kmeans_plus_plus,
)
from ebmlab.energy import Energy
from ebmlab.metrics import auroc, typicality
from ebmlab.prediction import slope_norms

SETS = {"Fashion-MNIST": fashion_mnist, "MNIST": mnist}
HELD_OUT, JUDGED, MIXTURES, PIXELS = 10_000, 4_000, 20_000, 784
# Variance of a pixel's rounding to one of 256 levels is 1.3e-6; this is noise of 1 % of the range.
FLOOR = 1e-4
RESIDUAL, COMPONENTS, STATES, STEPS = 48, 20, 10, 15

PLAIN, OURS = "residual of 48 principal components", "codes + levels, each by its spread"
DRAWN = (PLAIN, OURS)

Score = Callable[[Tensor], Tensor]


class Split(NamedTuple):
    """Training images in two parts, and those that judge: usual ones, and odd ones by name."""

    fitted: Tensor
    held_out: Tensor
    usual: Tensor
    odd: dict[str, Tensor]


class Whitened(nn.Module):
    """Images -> principal coordinates of variance 1, by falling variance in pixels."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        plane = Subspace(PIXELS, PIXELS)
        plane.update(None, images.flatten(1))
        self.mean, self.variances = plane.decoder.bias, plane.variances
        self.axes = plane.decoder.weight.detach() * (plane.variances + FLOOR).rsqrt()

    def forward(self, images: Tensor) -> Tensor:
        """Coordinates (n, 784)."""
        return (images.flatten(1) - self.mean) @ self.axes

    def holding(self, share: float) -> int:
        """How many coordinates hold this share of the variance."""
        held = self.variances.cumsum(0) / self.variances.sum()
        return int((held < share).sum()) + 1


class Fitted(NamedTuple):
    """Energies of images: all that was learned of a set."""

    whitened: Whitened
    k: int
    residual: Energy
    codes: Energy
    gaussian: Energy
    model: Energy
    levels: Energy


def split(name: str, seed: int) -> Split:
    """The images of one set, and what is odd to it."""
    other = next(each for each in SETS if each != name)
    rng = torch.Generator().manual_seed(seed)
    # The first half of MNIST's test images is the easier one.
    train, usual, strange = (
        images[torch.randperm(len(images), generator=rng)]
        for images in (SETS[name]("train")[0], SETS[name]("test")[0], SETS[other]("test")[0])
    )
    usual = usual[:JUDGED]
    blur = {width: views.Blur(7, (width, width), 1.0) for width in (0.5, 1.0)}
    odd = {
        other: strange[:JUDGED],
        "flat": views.Flat()(usual, rng),
        "inverted": 1 - usual,
        "noise": views.Static()(usual, rng),
        "blur, σ 1": blur[1.0](usual, rng),
        "blur, σ ½": blur[0.5](usual, rng),
        "upside down": usual.flip(-2),
    }
    return Split(train[:-HELD_OUT], train[-HELD_OUT:], usual, odd)


@torch.no_grad()
def mixture(data: Tensor, count: int, seed: int) -> Density:
    """-log p of so many Gaussians, by EM from seeds far from each other."""
    rng = torch.Generator().manual_seed(seed)
    start = kmeans_plus_plus(data, count, rng)
    spread = data.var(0).diag_embed().expand(count, -1, -1)
    method = methods.gmm(start, spread, decay=0.0, regularization=1e-3)
    for _ in range(STEPS):
        method(None, data, rng).commit()
    (parts,) = (m for m in method.modules() if isinstance(m, Components))
    shares = parts.counts / parts.counts.sum()
    kept = [i for i in range(count) if shares[i] > 1e-5]
    covariances = 0.5 * (parts.covariances + parts.covariances.mT)
    each = [Gaussian(parts.means[i], covariances[i]) for i in kept]
    return DensityMixture(*each, weights=shares[kept])


def doubling(k: int) -> list[int]:
    """Sizes of blocks that end at 2k, 4k, … and at the last pixel."""
    edges = [k * 2**i for i in range(PIXELS.bit_length()) if k * 2**i < PIXELS] + [PIXELS]
    return [b - a for a, b in pairwise(edges)]


def of_images(function: Score) -> Energy:
    """An energy of images."""
    return FunctionEnergy(function, y_ndim=3)


def fitted(images: Tensor, share: float, counts: tuple[int, int], seed: int) -> Fitted:
    """All energies of a set of images; `counts` are components of codes and of levels."""
    white = Whitened(images)
    k, w = white.holding(share), white(images[:MIXTURES])
    heights = mixture(w[:, :k], counts[0], seed)
    sizes = doubling(k)
    # Levels of unit blocks are those of any density of them.
    empty = Shells(sizes, Gaussian(torch.zeros(len(sizes)), torch.eye(len(sizes))))
    shells = Shells(sizes, mixture(empty.levels(w[:, k:]), counts[1], seed))
    plane = methods.pca(PIXELS, RESIDUAL)
    plane.energy.update(None, images.flatten(1))
    normal = Gaussian(torch.zeros(PIXELS), torch.eye(PIXELS))
    return Fitted(
        white,
        k,
        of_images(lambda y: plane.energy(None, y.flatten(1))),
        of_images(lambda y: heights(None, white(y)[:, :k])),
        of_images(lambda y: -normal.log_prob(white(y))),
        of_images(lambda y: heights(None, white(y)[:, :k]) - shells.log_prob(white(y)[:, k:])),
        of_images(lambda y: shells.density(None, shells.levels(white(y)[:, k:]))),
    )


def judged(energy: Energy) -> Score:
    """Energies of many images."""

    @torch.no_grad()
    def score(images: Tensor) -> Tensor:
        return torch.cat([energy(None, part) for part in images.split(1000)])

    return score


def scores(found: Fitted, held_out: Tensor) -> dict[str, Score]:
    """Numbers that are high for odd images, by name; ours is the last."""

    def typical(energy: Energy) -> Score:
        usual = judged(energy)(held_out)
        return lambda images: typicality(usual, judged(energy)(images))

    def spread(energy: Energy) -> float:
        return float(judged(energy)(held_out).std())

    ours = found.codes / spread(found.codes) + found.levels / spread(found.levels)
    return {
        PLAIN: judged(found.residual),
        "codes: mixture of Gaussians": judged(found.codes),
        "Gaussian: -log p": judged(found.gaussian),
        "Gaussian: typicality": typical(found.gaussian),
        "Gaussian: score norm": lambda images: slope_norms(found.gaussian, images),
        "codes and shells: -log p": judged(found.model),
        "codes and shells: typicality": typical(found.model),
        "codes and shells: score norm": lambda images: slope_norms(found.model, images),
        "levels of the shells": judged(found.levels),
        OURS: judged(ours),
    }


def measured(name: str, seed: int, share: float, picture: Path | None) -> dict[str, Any]:
    """One set, one seed: AUROC of every score for every odd set; a picture of some energies."""
    data, begun = split(name, seed), time.process_time()
    found = fitted(data.fitted, share, (COMPONENTS, STATES), seed)
    seconds = time.process_time() - begun
    nats = {
        key: float(judged(energy)(data.held_out).double().mean())
        for key, energy in (("gaussian", found.gaussian), ("model", found.model))
    }
    table, drawn = {}, scores(found, data.held_out)
    if picture:
        draw({told: drawn[told] for told in DRAWN}, name, data, picture)
    for label, score in drawn.items():
        usual = score(data.usual)
        table[label] = {key: auroc(usual, score(odd)) for key, odd in data.odd.items()}
    told = {"set": name, "seed": seed, "share": share, "k": found.k, "seconds": seconds}
    return told | {"nats": nats, "auroc": table}


def draw(drawn: dict[str, Score], name: str, data: Split, path: Path) -> None:
    """Histograms of energies of usual and odd images, a panel for each energy."""
    from matplotlib.figure import Figure

    from ebmlab import plot

    figure = Figure(figsize=(4.6 * len(drawn), 3.2), layout="constrained")
    for ax, (told, score) in zip(figure.subplots(1, len(drawn)), drawn.items(), strict=True):
        odd = {key: data.odd[key] for key in [*list(data.odd)[:2], "blur, σ 1"]}
        plot.energies(
            {f"{name}, held out": score(data.usual)} | {k: score(v) for k, v in odd.items()},
            ax,
            title=told,
        )
    figure.savefig(path, dpi=110)


def validated(name: str, share: float) -> None:
    """Held-out nats in whitened pixels, of which no odd image is part."""
    data = split(name, 0)
    for counts in ((10, 10), (20, 10), (40, 10), (20, 5), (20, 20)):
        found = fitted(data.fitted, share, counts, 0)
        nats = float(judged(found.model)(data.held_out).double().mean())
        print(f"{name:14s} codes {counts[0]:3d}, levels {counts[1]:3d}: {nats:.2f}", flush=True)


def shown(rows: list[dict[str, Any]]) -> str:
    """The means over seeds as a Markdown table, with the lowest of all columns and seeds."""
    lines = []
    for name in dict.fromkeys(row["set"] for row in rows):
        own = [row["auroc"] for row in rows if row["set"] == name]
        columns = list(next(iter(own[0].values())))
        head = f"| trained on {name} | " + " | ".join(columns) + " | lowest |"
        lines += [head, "|" + "---|" * (len(columns) + 2)]
        for score in own[0]:
            cells = [f"{mean(each[score][c] for each in own):.4f}" for c in columns]
            least = min(each[score][c] for each in own for c in columns)
            lines.append(f"| {score} | " + " | ".join(cells) + f" | {least:.3f} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, fit, judge, print, save."""
    parser = argparse.ArgumentParser(description="odd images, told by energies")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.9, help="of variance, in the codes")
    parser.add_argument("--set", action="append", choices=SETS, help="default: both")
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--picture", type=Path, help="PNG of the first set and seed")
    parser.add_argument("--validate", action="store_true", help="held-out nats; no odd images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = options.set or list(SETS)
    if options.validate:
        for name in names:
            validated(name, options.share)
        return
    about = circumstances(" ".join(["python", "benchmarks/ood.py", *sys.argv[1:]]))
    rows = []
    for name in names:
        for seed in range(options.seeds):
            picture = options.picture if not rows else None
            rows.append(measured(name, seed, options.share, picture))
            row = rows[-1]
            print(
                f"{name}, seed {seed}: {row['k']} codes, {row['seconds']:.0f} s, held-out nats "
                + ", ".join(f"{key} {value:.1f}" for key, value in row["nats"].items()),
                flush=True,
            )
            if options.out:
                options.out.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")
    print(shown(rows))


if __name__ == "__main__":
    main()
