"""Every recipe of a density on points of the plane: exact NLL, excess, mode weights, seconds.

    python benchmarks/plane.py [NAME …] [--data eight_gaussians] [--seeds 3] [--out FILE]
                               [--validate]

The same network, MLP 2-128-128-1, for all, 3,000 steps of 128 points, step sizes that fall along
a cosine, and otherwise the defaults of the recipe. NLL is exact: log Z by quadrature over
[-4, 4]², beside that over [-8, 8]², on 20,000 held-out points whose entropy is known. Settings
are chosen with `--validate`, by other training and held-out points than those of the table. The
file of `--out` keeps the rows of other recipes; a table in Markdown is written beside it.
"""

import argparse
import json
import math
import sys
import time
import warnings
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from measure import circumstances
from torch import Tensor

from ebmlab import fit, metrics
from ebmlab.data import toys
from ebmlab.partition import quadrature, trapezoid
from ebmlab.runs.densities import DENSITIES
from ebmlab.runs.density_preset import DensityPreset, Points
from ebmlab.training import Stepping, falling_cosine
from ebmlab.types import Potential

DATA = ("eight_gaussians", "two_moons")
TRAIN, TEST, BATCH = 100_000, 20_000, 128


class Draws(NamedTuple):
    """Seeds of the points to train on, the first of several, and of those held out."""

    train: int
    test: int


FINAL, VALIDATION = Draws(1000, 7), Draws(2000, 77)


def train(preset: DensityPreset, points: Tensor, seed: int, steps: int) -> tuple[Any, float]:
    """The method after these steps, and the CPU seconds that they took."""
    rng = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    method = preset.build(Points(points, BATCH, steps, rng))
    begun = time.process_time()
    run = fit(
        method,
        (None, points),
        steps=steps,
        batch_size=BATCH,
        lr=preset.lr,
        rng=rng,
        stepping=Stepping(schedule=falling_cosine),
    )
    if run.skipped:
        print(f"  {run.skipped} steps skipped")
    return method, time.process_time() - begun


def log_z(u: Potential, half_width: float, resolution: int) -> Tensor:
    """log Z within a square."""
    corner = torch.full((2,), half_width)
    return quadrature(u, -corner, corner, resolution=resolution, rule=trapezoid).log_z


def weight_error(u: Potential) -> float:
    """The largest error of the weights of eight modes, by the share of each on a grid."""
    axis = torch.linspace(-4, 4, 400)
    grid, means = torch.cartesian_prod(axis, axis), torch.tensor(toys.eight_gaussians.means)
    with torch.no_grad():
        energies = u(grid)
    return float(metrics.mode_weights(grid, means, energies=energies).error)


def measured(name: str, data: str, seed: int, steps: int, draws: Draws) -> dict[str, Any]:
    """One row of the table."""
    toy = getattr(toys, data)
    points = toy(TRAIN, torch.Generator().manual_seed(draws.train + seed))
    held_out = toy(TEST, torch.Generator().manual_seed(draws.test))
    preset = DENSITIES[name]
    method, seconds = train(preset, points, seed, steps)
    u = preset.density(method.energy.eval())
    narrow, wide = (log_z(u, half, 100 * int(half)) for half in (4.0, 8.0))
    entropy = -float(toy.log_density(held_out).mean())
    nll = float(metrics.nll(u, held_out, wide))
    return {
        "recipe": name,
        "data": data,
        "seed": seed,
        "steps": steps,
        "nll": nll,
        "excess": nll - entropy,
        "outside": float(wide - narrow),
        "weights": weight_error(u) if data == DATA[0] else math.nan,
        "seconds": seconds,
    }


def main() -> None:
    """Parse the command line, train, print, save."""
    parser = argparse.ArgumentParser(description="exact NLL of every recipe in the plane")
    parser.add_argument("names", nargs="*", help="recipes; default: all")
    parser.add_argument("--data", action="append", choices=DATA, help="default: both")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--validate", action="store_true", help="other points: choose settings")
    options = parser.parse_args()
    draws = VALIDATION if options.validate else FINAL
    torch.set_num_threads(1)
    warnings.simplefilter("once")
    about = circumstances(" ".join(["python", "benchmarks/plane.py", *sys.argv[1:]]))
    names, data = options.names or list(DENSITIES), options.data or DATA
    rows = [
        row
        for row in kept(options.out)
        if (row["recipe"], row["data"]) not in product(names, data)
    ]
    for name, toy in product(names, data):
        found = [measured(name, toy, seed, options.steps, draws) for seed in range(options.seeds)]
        rows += found
        print("  ".join(told(found)), flush=True)
        if options.out:
            options.out.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(table(rows))


def kept(path: Path | None) -> list[dict[str, Any]]:
    """The rows of an earlier call."""
    return json.loads(path.read_text())["rows"] if path is not None and path.exists() else []


def told(found: list[dict[str, Any]]) -> list[str]:
    """A row of all seeds."""
    numbers = ", ".join(f"{row['nll']:.3f}" for row in found)
    worst = {key: max(row[key] for row in found) for key in ("outside", "weights")}
    excess, seconds = (median(row[key] for row in found) for key in ("excess", "seconds"))
    return [
        f"`{found[0]['recipe']}`",
        found[0]["data"].replace("_", " "),
        numbers,
        f"{excess:.3f}",
        "–" if math.isnan(worst["weights"]) else f"{worst['weights']:.3f}",
        f"{worst['outside']:.4f}",
        f"{seconds:.0f}",
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, those of one recipe and data on one line."""
    keys = sorted({(row["data"], row["recipe"]) for row in rows})
    groups = [[row for row in rows if (row["data"], row["recipe"]) == key] for key in keys]
    names = ["recipe", "data", "NLL by seed", "median excess", "weights", "outside", "CPU s"]
    lines = [names, ["---"] * len(names), *map(told, groups)]
    about = (
        f"MLP 2-128-128-1, {rows[0]['steps']:,} steps of {BATCH} points; exact NLL in nats on "
        f"{TEST:,} held-out\npoints. Weights: the largest error of eight; outside: log Z over "
        "[-8, 8]² less that over [-4, 4]²; the\nworst seed of both.\n\n"
    )
    return about + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
