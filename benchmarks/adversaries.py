"""Generators that learn with an energy, on eight Gaussians: modes held, draws near them, weights.

    python benchmarks/adversaries.py [NAME …] [--seeds 3] [--steps 3000] [--out FILE] [--validate]

A mode is held where at least 1/16 of 10,000 draws, half of what it is due, lie within 3σ of it.
A thin ring through all modes would hold all eight, with 77 % of its draws within 3σ and no error
of the weights: what is beyond that is learned of the modes.
Both players are MLPs of the same size, trained by Adam without momentum in steps that fall along a
cosine. Of the recipes whose exp(-E) / Z is a model, its exact NLL is told too, by quadrature.
Settings are chosen with `--validate`, by other seeds than those of the table.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from measure import circumstances
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy, Method, fit, methods, metrics
from ebmlab.data import toys
from ebmlab.energies import MLP, Gaussian
from ebmlab.networks import MLP as Network
from ebmlab.networks import Generator
from ebmlab.partition import quadrature, trapezoid
from ebmlab.training import Stepping, falling_cosine

TOY = toys.eight_gaussians
MEANS = torch.tensor(TOY.means)
TRAIN, DRAWN, TEST, BATCH = 100_000, 10_000, 20_000, 128
# Of z; of the codes of EBGAN's critic.
DIM, CODE = 4, 16
HIDDEN = (64, 64)
VALIDATION = 100
HEAD = (
    "`python benchmarks/adversaries.py`: eight Gaussians, 3,000 steps of 128 points, one number a",
    "seed. A thin ring through all modes has 8, 77 % and 0. Excess: NLL of exp(-E) / Z over",
    "the entropy of the data, nats, where it is a model.",
    "",
    "| recipe | modes held | draws within 3σ | weights off by | excess NLL | CPU s |",
    "|---|---|---|---|---|---|",
)


def net(inputs: int, outputs: int) -> Network:
    """A network with kinks, where it may turn sharply."""
    return Network(inputs, outputs, HIDDEN, lambda: nn.LeakyReLU(0.2))


def sharp() -> Energy:
    """Such a network as a critic."""
    return FunctionEnergy(nn.Sequential(net(2, 1), nn.Flatten(0)), ("y",))


class Contender(NamedTuple):
    """A recipe with its arguments, step sizes of both players, whether exp(-E) / Z is meant."""

    build: Callable[[Generator, Tensor], Method]
    critic: float = 4e-3
    generator: float = 4e-3
    density: bool = False


def held(y: Tensor) -> Energy:
    """A network and the Gaussian of the data, which bounds the energy far away."""
    return MLP(2, hidden=HIDDEN) + Gaussian(y.mean(0), y.T.cov())


CONTENDERS: dict[str, Contender] = {
    "gan": Contender(lambda g, y: methods.gan(sharp(), g)),
    "ebgan": Contender(lambda g, y: methods.ebgan(net(2, CODE), net(CODE, 2), g)),
    "wgan_gp": Contender(lambda g, y: methods.wgan_gp(sharp(), g)),
    "cooperative": Contender(lambda g, y: methods.cooperative(held(y), g), density=True),
    "vera": Contender(lambda g, y: methods.vera(held(y), g), density=True),
}


def trained(contender: Contender, seed: int, steps: int) -> tuple[Method, Generator, float]:
    """The method, its generator, and the CPU seconds that they took."""
    rng = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    y, generator = TOY(TRAIN, rng), Generator(net(DIM, 2), DIM)
    method = contender.build(generator, y)
    own = list(generator.parameters())
    critic = [p for p in method.parameters() if all(p is not q for q in own)]
    groups = [
        {"params": critic, "lr": contender.critic},
        {"params": own, "lr": contender.generator},
    ]
    begun = time.process_time()
    run = fit(
        method,
        (None, y),
        steps=steps,
        batch_size=BATCH,
        optimizer=torch.optim.Adam(groups, betas=(0.0, 0.99)),
        rng=rng,
        stepping=Stepping(schedule=falling_cosine),
    )
    if run.skipped:
        print(f"  {run.skipped} steps skipped")
    return method, generator, time.process_time() - begun


def excess(energy: Energy) -> float:
    """NLL of exp(-E) / Z above the entropy of held-out points, nats, exact."""
    u, corner = energy.given(), torch.full((2,), 8.0)
    y = TOY(TEST, torch.Generator().manual_seed(7))
    log_z = quadrature(u, -corner, corner, resolution=800, rule=trapezoid).log_z
    return float(metrics.nll(u, y, log_z)) + float(TOY.log_density(y).mean())


def measured(name: str, seed: int, steps: int) -> dict[str, Any]:
    """One row of the table."""
    contender = CONTENDERS[name]
    method, generator, seconds = trained(contender, seed, steps)
    draws = generator.sample(DRAWN, torch.Generator().manual_seed(1))
    away, mode = torch.cdist(draws, MEANS).min(1)
    near = away < 3 * TOY.scale
    shares = torch.bincount(mode[near], minlength=len(MEANS)) / DRAWN
    return {
        "recipe": name,
        "seed": seed,
        "steps": steps,
        "modes": int((shares >= 1 / 16).sum()),
        "near": float(near.float().mean()),
        "weights": float(metrics.mode_weights(draws, MEANS).error),
        "excess": excess(method.energy) if contender.density else None,
        "seconds": seconds,
    }


def told(rows: list[dict[str, Any]]) -> str:
    """The rows of one recipe as a line of a table."""
    columns = [
        ", ".join(f"{row['modes']}" for row in rows),
        ", ".join(f"{row['near']:.1%}" for row in rows),
        f"{max(row['weights'] for row in rows):.3f}",
        ", ".join("–" if row["excess"] is None else f"{row['excess']:.3f}" for row in rows),
        f"{median(row['seconds'] for row in rows):.0f}",
    ]
    return " | ".join(["", f"`{rows[0]['recipe']}`", *columns, ""]).strip()


def saved(path: Path, about: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON and as a table; those of other recipes that are there stay."""
    names = {row["recipe"] for row in rows}
    old = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = [row for row in old if row["recipe"] not in names] + rows
    path.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")
    each = [[row for row in rows if row["recipe"] == name] for name in CONTENDERS]
    lines = [*HEAD, *(told(found) for found in each if found)]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Parse the command line, train, print, save."""
    parser = argparse.ArgumentParser(description="generators on eight Gaussians")
    parser.add_argument("names", nargs="*", help="recipes; default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, help="JSON file; a table is written beside it")
    parser.add_argument("--validate", action="store_true", help="other seeds: choose settings")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("once")
    about = circumstances(" ".join(["python", "benchmarks/adversaries.py", *sys.argv[1:]]))
    first = VALIDATION if options.validate else 0
    print("\n".join(HEAD))
    for name in options.names or CONTENDERS:
        seeds = range(first, first + options.seeds)
        found = [measured(name, seed, options.steps) for seed in seeds]
        print(told(found), flush=True)
        if options.out:
            saved(options.out, about, found)


if __name__ == "__main__":
    main()
