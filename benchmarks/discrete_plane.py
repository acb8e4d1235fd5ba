"""Seven sets of the plane in 32 bits: NLL by energy discrepancy, beside published values.

    python benchmarks/discrete_plane.py [SET …] [--bits 32 16] [--steps 20000] [--out FILE]

A point is a cell of a square board, each of its coordinates written in Gray code, so that next
cells differ in one bit; the energy is an MLP of the bits with three layers of 256. log Z of 32
bits is estimated by importance sampling on the board, that of 16 bits is a sum over all states.
The sets have the sizes of Dai et al. 2020, arXiv:2011.05363, so that NLL in nats compares with
that of Zhang et al. 2022, arXiv:2202.01361 (EB-GFN), and of Schröder et al. 2023.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from measure import circumstances
from torch import Tensor

from ebmlab import fit, metrics
from ebmlab.data import toys
from ebmlab.energies import MLP
from ebmlab.energy import Energy
from ebmlab.methods import energy_discrepancy
from ebmlab.partition import Estimate, enumerate_states
from ebmlab.perturbations import Flips
from ebmlab.training import Stepping, falling_cosine

TRAIN, TEST = 200_000, 20_000
ON_CIRCLE = tuple((4 / 1.414 * x / 2, 4 / 1.414 * y / 2) for x, y in toys.eight_gaussians.means)


@dataclass(frozen=True)
class Case:
    """A set: where its points come from, half the board's side, and the published NLL at 32 bits.

    Args:
        toy: of `data.toys`.
        half: two more than the largest of 5,000 coordinates, as in the published sets.
        published: NLL of EB-GFN.
    """

    toy: toys.Toy
    half: float
    published: float


CASES = {
    "8gaussians": Case(toys.GaussianClusters(ON_CIRCLE, 0.5 / 1.414), 6.195, 19.982),
    "2spirals": Case(toys.Spirals(math.pi, 1.5, 0.111), 5.481, 20.050),
    "circles": Case(toys.Rings((1.5, 3.0), 0.24), 5.781, 20.546),
    "moons": Case(toys.TwoMoons(2.0, 0.2), 5.669, 19.732),
    "pinwheel": Case(toys.Pinwheel(5, 2.0, 0.6, 0.2, 0.34), 5.908, 19.554),
    "swissroll": Case(toys.SwissRoll(0.9 * math.pi, 2.25, 1 / 3, 0.2), 5.266, 20.146),
    "checkerboard": Case(toys.Checkerboard(4.0), 6.0, 20.696),
}


@dataclass(frozen=True)
class Board:
    """A square of 2^depth × 2^depth cells around the origin.

    Args:
        half: half its side.
        depth: bits of a coordinate.
    """

    half: float
    depth: int

    @property
    def log_cell(self) -> float:
        """The log of a cell's area."""
        return 2 * math.log(2 * self.half / 2**self.depth)

    def cells(self, points: Tensor) -> Tensor:
        """Cells (n, 2) of points; what lies outside is put at the edge."""
        index = ((points.double() + self.half) * (2**self.depth / (2 * self.half))).floor()
        return index.long().clamp(0, 2**self.depth - 1)

    def bits(self, cells: Tensor) -> Tensor:
        """Both coordinates in Gray code, the largest bits first: (n, 2 depth) in float32."""
        gray = cells ^ (cells >> 1)
        place = torch.arange(self.depth - 1, -1, -1)
        return ((gray.unsqueeze(-1) >> place) & 1).flatten(1).float()


@torch.no_grad()
def sampled_log_z(
    energy: Energy, board: Board, rng: torch.Generator, coarse: int = 7, draws: int = 200_000
) -> Estimate:
    """log Z by importance sampling: a block by its mass in a first look, then any of its cells.

    The first look takes four cells in each of 2^coarse × 2^coarse blocks. A tenth of the proposal
    is uniform, so that it covers the board.
    """
    inner = board.depth - coarse
    side = 2**coarse
    blocks = torch.cartesian_prod(torch.arange(side), torch.arange(side))

    def energies(chosen: Tensor) -> Tensor:
        within = torch.randint(2**inner, chosen.shape, generator=rng)
        bits = board.bits((chosen << inner) + within)
        return torch.cat([energy(None, part).double() for part in bits.split(2**14)])

    look = torch.stack([-energies(blocks) for _ in range(4)])
    share = 0.9 * look.logsumexp(0).softmax(0) + 0.1 / len(blocks)
    chosen = torch.multinomial(share, draws, replacement=True, generator=rng)
    log_proposal = share.log()[chosen] - 2 * inner * math.log(2)
    return Estimate.from_weights(-energies(blocks[chosen]) - log_proposal)


def entropy(case: Case, points: Tensor) -> float:
    """-mean log density of points, in nats, to about 0.01.

    The density of a blurred curve is the mean of the blurs of many of its points.
    """
    if isinstance(case.toy, toys.KnownToy):
        return -float(case.toy.log_density(points.double()).mean())
    assert isinstance(case.toy, toys.Spirals | toys.SwissRoll | toys.TwoMoons)
    noise = case.toy.noise
    curve = replace(case.toy, noise=0.0)(50_000, torch.Generator().manual_seed(11))
    parts = [
        (-torch.cdist(part, curve).square() / (2 * noise**2)).logsumexp(1)
        for part in points[:4000].split(500)
    ]
    norm = math.log(len(curve) * 2 * math.pi * noise**2)
    return norm - float(torch.cat(parts).mean())


def measured(name: str, bits: int, options: argparse.Namespace) -> dict[str, Any]:
    """One row of the table."""
    case = CASES[name]
    board = Board(case.half, bits // 2)
    rng = torch.Generator().manual_seed(options.seed)
    torch.manual_seed(options.seed)
    held_out = case.toy(TEST, torch.Generator().manual_seed(7))
    train = board.bits(board.cells(case.toy(TRAIN, rng)))
    method = energy_discrepancy(
        MLP(bits, hidden=(256, 256, 256)), Flips(options.rate), options.negatives
    )
    begun = time.process_time()
    fit(
        method,
        (None, train),
        steps=options.steps,
        batch_size=options.batch,
        lr=options.lr,
        rng=rng,
        stepping=Stepping(schedule=falling_cosine),
    )
    seconds = time.process_time() - begun
    energy = method.energy.eval()
    estimate = sampled_log_z(energy, board, torch.Generator().manual_seed(1), min(7, bits // 4))
    exact = float(enumerate_states(energy.given(), bits).log_z) if bits <= 16 else None
    log_z = estimate.log_z if exact is None else exact
    nll = float(metrics.nll(energy.given(), board.bits(board.cells(held_out)), log_z))
    due = entropy(case, held_out) - board.log_cell
    return {
        "set": name,
        "bits": bits,
        "steps": options.steps,
        "nll": nll,
        "standard_error": float(estimate.standard_error),
        "entropy": due,
        "excess": nll - due,
        "published": case.published if bits == 32 else None,
        "log_z": float(estimate.log_z),
        "exact_log_z": exact,
        "effective": float(estimate.effective_sample_size),
        "seconds": seconds,
    }


HEAD = "| set | bits | NLL | ± of log Z | entropy | excess | EB-GFN | log Z | exact | s |"


def line(row: dict[str, Any]) -> str:
    """A row in Markdown."""
    names = ("nll", "standard_error", "entropy", "excess", "published", "log_z", "exact_log_z")
    numbers = ["–" if row[name] is None else f"{row[name]:.3f}" for name in names]
    return f"| {row['set']} | {row['bits']} | {' | '.join(numbers)} | {row['seconds']:.0f} |"


def save(path: Path, about: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write rows and circumstances as JSON, and the table beside it as Markdown."""
    path.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")
    text = [f"`{about['command']}`", "", f"{about['machine']}, {about['date']}; {about['setup']}."]
    text += ["", HEAD, "|" + "---|" * HEAD.count(" | ") + "---|", *map(line, rows), ""]
    path.with_suffix(".md").write_text("\n".join(text))


def main() -> None:
    """Parse the command line, train, print, save."""
    parser = argparse.ArgumentParser(description="energy discrepancy on the plane in bits")
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--bits", type=int, nargs="+", default=[32, 16])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file; the table goes beside it as .md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    setup = ", ".join(f"{k} {getattr(options, k)}" for k in ("steps", "batch", "negatives"))
    setup += f", flips {options.rate}, lr {options.lr}, seed {options.seed}"
    command = " ".join(["python", "benchmarks/discrete_plane.py", *sys.argv[1:]])
    about = circumstances(command) | {"setup": setup}
    rows: list[dict[str, Any]] = []
    print(f"{setup}\n{HEAD}", flush=True)
    for name in options.sets or CASES:
        for bits in options.bits:
            rows.append(measured(name, bits, options))
            print(line(rows[-1]), flush=True)
            if options.out:
                save(options.out, about, rows)


if __name__ == "__main__":
    main()
