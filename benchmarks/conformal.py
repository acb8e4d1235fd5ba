"""Sets of discrete answers: a linear model of MNIST beside its published sets, and hidden letters.

    EBMLAB_DATA=… python benchmarks/conformal.py --out results/conformal_cpu.json [--only mnist]

`mnist` is the baseline of conformal training (Stutz, Dvijotham, Cemgil, Doucet 2022,
arXiv:2110.09192; google-deepmind/conformal_training): 784 × 10 logits, 55,000 images, pixels less
their mean over their deviation, cross-entropy + 5e-4 ‖w‖², SGD with Nesterov momentum 0.9, batches
of 100, the step size 0.05 halved after each epoch, 20 epochs and not 50, after which it is below
a millionth of the first. The other 5,000 training images and the
10,000 test images are mixed, 5,000 of them calibrate and 10,000 judge, ten times, at 99 %.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from measure import circumstances
from torch import Tensor, nn

from ebmlab import Energy, Method, data, fit
from ebmlab.energies import Categorical
from ebmlab.objectives import Likelihood
from ebmlab.prediction import Adaptive, Nonconformity, RawEnergy, Surprisal, calibrate_choices

KINDS: Mapping[str, Nonconformity] = {
    "F": RawEnergy(),
    "F + log Z (THR)": Surprisal(),
    "APS": Adaptive(),
    "APS, not randomized": Adaptive(randomized=False),
    "RAPS, λ 0.01, k 2": Adaptive(penalty=0.01, free=2),
}
# Table 1 of the paper: mean sizes at 99 %.
PUBLISHED = {"F + log Z (THR)": 2.23, "APS": 2.50}
SEEDS, SPLITS, LEVEL, VALIDATION, EPOCHS = 3, 10, 0.99, 5000, 20
CLASSES = torch.arange(10)


def linear(seed: int, train: tuple[Tensor, Tensor], epochs: int) -> Energy:
    """E(image, label) = -logit, trained as the baseline is."""
    images, labels = train
    torch.manual_seed(seed)
    energy = Categorical(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), x_ndim=3)
    # Their ‖w‖² is over the bias too, and its slope is 2 w.
    how = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}
    fit(
        Method(energy, Likelihood(CLASSES)),
        (images, labels),
        steps=epochs * (len(images) // 100),
        batch_size=100,
        optimizer=torch.optim.SGD(energy.parameters(), **how),
        schedule=lambda share: 0.5 ** int(share * epochs),
        rng=torch.Generator().manual_seed(seed),
        progress=False,
    )
    return energy


def judged(
    energy: Energy, values: Tensor, x: Tensor, y: Tensor, calibrating: Tensor, level: float
) -> dict[str, dict[str, float]]:
    """Coverage and size of the sets by each nonconformity; rows that do not calibrate judge."""
    found = {}
    for name, kind in KINDS.items():
        rng = torch.Generator().manual_seed(0)
        of = {"nonconformity": kind, "rng": rng}
        sets = calibrate_choices(energy, values, x[calibrating], y[calibrating], level, **of)
        seen = sets.judge(x[~calibrating], y[~calibrating], rng=rng)
        found[name] = {
            "coverage": seen.coverage.share,
            "size": float(seen.sizes.double().mean()),
            "empty": float((seen.sizes == 0).double().mean()),
            "coverage of the worst value": float(seen.by_value().share.nan_to_num(1.0).min()),
        }
    return found


def mnist(epochs: int) -> list[dict[str, Any]]:
    """Each seed and split: what its sets are."""
    (images, labels), (more, of_them) = data.mnist("train"), data.mnist("test")
    center, spread = images[:-VALIDATION].mean(), images[:-VALIDATION].std()
    images, more = ((part - center) / spread for part in (images, more))
    x = torch.cat([images[-VALIDATION:], more])
    y = torch.cat([labels[-VALIDATION:], of_them])
    rows = []
    for seed in range(SEEDS):
        start = time.perf_counter()
        energy = linear(seed, (images[:-VALIDATION], labels[:-VALIDATION]), epochs)
        right = (energy.at_each(more, CLASSES).argmin(1) == of_them).double().mean()
        about = {"seed": seed, "accuracy": float(right), "seconds": time.perf_counter() - start}
        rng = torch.Generator().manual_seed(100 + seed)
        for split in range(SPLITS):
            calibrating = torch.zeros(len(x), dtype=torch.bool)
            calibrating[torch.randperm(len(x), generator=rng)[:VALIDATION]] = True
            found = judged(energy, CLASSES, x, y, calibrating, LEVEL)
            rows += [about | {"split": split, "kind": k} | row for k, row in found.items()]
        print(json.dumps(rows[-len(KINDS) :]), flush=True)
    return rows


def table(rows: list[dict[str, Any]], published: Mapping[str, float]) -> list[str]:
    """Means over rows of a kind ± their standard deviation, as Markdown."""
    columns = ("coverage", "size", "empty", "coverage of the worst value")
    lines = ["|  | " + " | ".join(columns) + " | published size |", "|---" * 6 + "|"]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        each = [row for row in rows if row["kind"] == kind]
        cells = [spread([row[name] for row in each]) for name in columns]
        due = published.get(kind)
        lines.append(f"| {kind} | {' | '.join(cells)} | {'–' if due is None else f'{due:.2f}'} |")
    return lines


def spread(values: list[float]) -> str:
    """A mean and, of several, their standard deviation."""
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("mnist", "words"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("\n".join(table(mnist(asked.epochs), PUBLISHED)))
    _ = circumstances


if __name__ == "__main__":
    main()
