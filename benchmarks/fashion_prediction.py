"""The lower half of Fashion-MNIST from the upper one: regression, residual centroids, 16 codes.

    EBMLAB_DATA=… python benchmarks/fashion_prediction.py --out results/fashion_prediction.json

Of the official training images 55,000 train and 5,000 choose regression's step size and epochs; of
the test images 3,000 calibrate prediction sets and 7,000 judge them; errors are over all 10,000.
The predictors have the same network, to which 16 codes add 2.4 % of parameters. Codes come in the
order of their use on training images.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from measure import circumstances
from torch import Tensor, nn

from ebmlab import FreeEnergy, Method, data, fit, methods
from ebmlab.energies import JointEmbedding, Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.inference import Enumerate
from ebmlab.prediction import calibrate, predict
from ebmlab.training import Recording, Stepping, falling_cosine

SHAPE = (1, 14, 28)
CODES, BATCH, LEVEL = 16, 128, 0.9
TRAIN, CALIBRATION, SETS = 55_000, 3_000, 500
KS = (1, 2, 4, 8, 16)

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Setting:
    """How a model is trained: AdamW, step size falling to 0 along a cosine."""

    lr: float
    epochs: int
    seed: int = 0


GRID = [Setting(1e-3, 30), Setting(1e-3, 15), Setting(3e-3, 15)]
LATENT = Setting(1e-3, 12)


class Shift(nn.Module):
    """g(h, z) = h + z: a prediction moved by a residual."""

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """h + z."""
        return h + z


def main() -> None:
    """Train, judge, print, save after each model."""
    parser = argparse.ArgumentParser(description="sets of predictions on Fashion-MNIST")
    parser.add_argument("--out", type=Path, help="JSON file; the tables go beside it as .md")
    parser.add_argument("--seeds", type=int, default=3, help="of the latent model")
    parser.add_argument("--quick", action="store_true", help="little training: does it run?")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = circumstances(" ".join(["python", "benchmarks/fashion_prediction.py", *sys.argv[1:]]))
    for part in study(options.seeds, options.quick):
        record |= part
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(record, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(report(record))
        print(json.dumps(part, indent=1), flush=True)


def study(seeds: int, quick: bool) -> Iterator[dict[str, Any]]:
    """Parts of the record, one after the other."""
    train, validation, test = halves()
    if quick:
        train = (train[0][:2000], train[1][:2000])
    f, tuning = tuned_regression(train, validation, quick)
    yield {"regression": judged(f.energy, test) | {"tuning": tuning, "parameters": count(f)}}
    yield {"centroids": judged(centroids(f, train), test)}
    runs = []
    for seed in range(seeds):
        how = Setting(LATENT.lr, 1 if quick else LATENT.epochs, seed)
        torch.manual_seed(how.seed)
        method = methods.image_prediction(SHAPE, SHAPE, CODES)
        seconds = trained(method, train, how)
        energy = in_order_of_use(method.energy, train)
        runs.append(judged(energy, test) | {"how": vars(how), "cpu_seconds": seconds})
        yield {"latent": {"parameters": count(method), "runs": runs}}


def halves() -> tuple[Pair, Pair, Pair]:
    """(upper, lower) halves for training, validation and test."""
    images, held = data.fashion_mnist("train")[0], data.fashion_mnist("test")[0]
    upper, lower = images.chunk(2, dim=2)
    train, validation = ((upper[s], lower[s]) for s in (slice(TRAIN), slice(TRAIN, None)))
    return train, validation, held.chunk(2, dim=2)


def trained(method: Method, pair: Pair, how: Setting) -> float:
    """Train in place; seconds of the processor."""
    began = time.process_time()
    fit(
        method,
        pair,
        steps=how.epochs * (len(pair[0]) // BATCH),
        batch_size=BATCH,
        rng=torch.Generator().manual_seed(how.seed),
        lr=how.lr,
        stepping=Stepping(schedule=falling_cosine),
        record=Recording(every=1000),
    )
    return time.process_time() - began


def tuned_regression(train: Pair, validation: Pair, quick: bool) -> tuple[Method, list[Any]]:
    """The regression of least squared error on validation data, and all that were tried."""
    best, tuning = None, []
    for how in GRID[:1] if quick else GRID:
        torch.manual_seed(how.seed)
        parts = methods.image_prediction(SHAPE, SHAPE, 1)
        network = parts.energy.energy.head.decoder.network
        method = methods.regression(nn.Sequential(parts.encoder, network), x_ndim=3, y_ndim=3)
        seconds = trained(method, train, Setting(how.lr, 1) if quick else how)
        error = float(best_of(method.energy, *validation, (1,))[1])
        tuning.append(vars(how) | {"validation": error, "cpu_seconds": seconds})
        print(tuning[-1], flush=True)
        if best is None or error < best[0]:
            best = (error, method)
    assert best is not None
    return best[1], tuning


def centroids(regression: Method, train: Pair) -> FreeEnergy:
    """Regression with a latent: which of 16 centers of its residuals is added, by k-means."""
    from sklearn.cluster import KMeans

    with torch.no_grad():
        f = regression.energy.online
        residuals = torch.cat([y - f(x) for x, y in chunks(*train)]).flatten(1)
    found = KMeans(CODES, n_init=3, random_state=0).fit(residuals.numpy())
    atoms = torch.as_tensor(found.cluster_centers_).unflatten(1, SHAPE)
    use = torch.bincount(torch.as_tensor(found.labels_).long(), minlength=CODES)
    head = Reconstruction(Shift(), SquaredDistance(3), x_ndim=3, z_ndim=3)
    energy = JointEmbedding(f, nn.Identity(), head, x_ndim=3)
    return FreeEnergy(energy, Enumerate(atoms, use.float()))


def in_order_of_use(energy: FreeEnergy, pair: Pair) -> FreeEnergy:
    """The same energy; the prior of its codes is how often each is the best, and once more."""
    use = 1 + chosen(energy, *pair)
    return FreeEnergy(energy.energy, Enumerate(energy.infer.atoms, use.float()))


@torch.no_grad()
def chosen(energy: FreeEnergy, x: Tensor, y: Tensor) -> Tensor:
    """How often each atom is the best, (codes,)."""
    atoms = energy.infer.atoms.flatten(1)
    best = [energy.posterior(*pair).atoms[0].flatten(1) for pair in chunks(x, y)]
    return torch.bincount(torch.cdist(torch.cat(best), atoms).argmin(1), minlength=len(atoms))


def best_of(energy: Energy, x: Tensor, y: Tensor, ks: tuple[int, ...]) -> dict[int, Tensor]:
    """Mean squared error of the best of the first k predictions, for each k."""
    errors = []
    with torch.no_grad():
        for a, b in chunks(x, y):
            if isinstance(energy, FreeEnergy):
                each = (predict(energy, a, max(ks)).y - b).square().flatten(2).sum(2)
            else:
                each = energy(a, b)[None]
            errors.append(each.cummin(0).values)
    curve = torch.cat(errors, dim=1).double().mean(1)
    return {k: curve[k - 1] for k in ks}


def judged(energy: Energy, test: Pair) -> dict[str, Any]:
    """Errors, use of the codes, coverage and volume on test images."""
    x, y = test
    ks = KS if isinstance(energy, FreeEnergy) else (1,)
    out: dict[str, Any] = {"best_of": {k: float(e) for k, e in best_of(energy, x, y, ks).items()}}
    if isinstance(energy, FreeEnergy):
        share = chosen(energy, x, y).double() / len(x)
        out["use_nats"] = float(-torch.xlogy(share, share).sum())
        out["least_used"] = float(share.min())
    held = slice(CALIBRATION, None)
    found = calibrate(energy, x[:CALIBRATION], y[:CALIBRATION], LEVEL)
    coverage = found.coverage(x[held], y[held])
    volume = found.log_volume(x[held][:SETS], torch.Generator().manual_seed(0))
    per_pixel = volume.log_volume / math.prod(SHAPE)
    return out | {
        "threshold": float(found.threshold),
        "coverage": coverage.share,
        "coverage_error": coverage.standard_error,
        "log_volume_per_pixel": float(per_pixel.mean()),
        "log_volume_error": float(per_pixel.std() / math.sqrt(SETS)),
    }


def chunks(x: Tensor, y: Tensor, size: int = 500) -> Iterator[Pair]:
    """Rows of both, some at a time."""
    return zip(x.split(size), y.split(size), strict=True)


def count(module: nn.Module) -> int:
    """How many parameters."""
    return sum(p.numel() for p in module.parameters())


def report(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    rows = [(name, record[name]) for name in ("regression", "centroids") if name in record]
    runs = record.get("latent", {}).get("runs", [])
    rows += [(f"16 codes, seed {run['how']['seed']}", run) for run in runs]
    versions = {name: record["versions"][name] for name in ("ebmlab", "torch", "scikit-learn")}
    lines = [
        f"`{record['command']}`",
        "",
        f"{record['machine']}, {record['threads']} thread; "
        f"{', '.join(f'{k} {v}' for k, v in versions.items())}; commit {record['commit']}, "
        f"{record['date']}. Fashion-MNIST, lower half from upper half, 14 × 28 pixels in [0, 1].",
        "",
        "Squared error of the best of k predictions, summed over 392 pixels, 10,000 test images:",
        "",
        "| | " + " | ".join(f"k = {k}" for k in KS) + " | use of codes, nats | least used |",
        "|---|" + "---|" * (len(KS) + 2),
    ]
    for name, row in rows:
        errors = [row["best_of"].get(k, row["best_of"].get(str(k))) for k in KS]
        cells = ["–" if e is None else f"{e:.3f}" for e in errors]
        use = [f"{row['use_nats']:.3f}", f"{row['least_used']:.1%}"] if "use_nats" in row else []
        lines.append("| " + " | ".join([name, *cells, *(use or ["–", "–"])]) + " |")
    lines += [
        "",
        f"Sets {{y : F(x, y) ≤ τ}} at {LEVEL:.0%}, {CALIBRATION:,} test images to calibrate, "
        f"7,000 to judge; log volume of {SETS} sets (balls, not cut at the edges of [0, 1]):",
        "",
        "| | τ | coverage | log volume per pixel |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['threshold']:.2f} | {row['coverage']:.2%} ± {row['coverage_error']:.2%} "
        f"| {row['log_volume_per_pixel']:.4f} ± {row['log_volume_error']:.4f} |"
        for name, row in rows
    ]
    return "\n".join([*lines, *_training(record), *_margins(record), ""])


def _training(record: dict[str, Any]) -> list[str]:
    tried = record["regression"]["tuning"]
    lines = ["", "Regression as tried (the least error on 5,000 validation images is taken):", ""]
    lines += ["| step size | epochs | validation | processor |", "|---|---|---|---|"]
    lines += [
        f"| {t['lr']:g} | {t['epochs']} | {t['validation']:.3f} | {t['cpu_seconds']:.0f} s |"
        for t in tried
    ]
    lines += ["", f"Parameters: regression {record['regression']['parameters']:,}"]
    if "latent" in record:
        runs, how = record["latent"]["runs"], record["latent"]["runs"][0]["how"]
        seconds = ", ".join(f"{run['cpu_seconds']:.0f}" for run in runs)
        lines[-1] += (
            f", 16 codes {record['latent']['parameters']:,}. The codes: T = 0 throughout, step "
            f"size {how['lr']:g}, {how['epochs']} epochs, {seconds} s of the processor."
        )
    return lines


def _margins(record: dict[str, Any]) -> list[str]:
    if "latent" not in record:
        return []

    def at(row: dict[str, Any], k: int) -> float:
        return row["best_of"].get(k, row["best_of"].get(str(k)))

    lines = [""]
    for name, k in (("regression", 1), ("centroids", CODES)):
        below = [1 - at(run, CODES) / at(record[name], k) for run in record["latent"]["runs"]]
        spread = f" ± {stdev(below):.1%}" if len(below) > 1 else " (one seed)"
        lines.append(f"- Best of 16 codes is {mean(below):.1%}{spread} below {name}.")
    return lines


if __name__ == "__main__":
    main()
