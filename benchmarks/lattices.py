"""Couplings of Ising models from draws, by every objective: how far from the truth.

    python benchmarks/lattices.py [--part small|torus] [--seeds 5] [--out FILE]

`small`: a periodic 4 × 4 lattice, J = 0.2 on 32 bonds, 10,000 exact draws, all 120 couplings free.
The root mean square error as a ratio to that of exact maximum likelihood on the same draws.

`torus`: 10 × 10 and 9 × 9, E = -yᵀJy over both orders of each bond with J = σ (a coupling of 2σ),
2,000 draws by Gibbs, 4,950 couplings. -log of the error over the whole matrix J. The strength of
L1 is chosen by the pseudo-likelihood of folds held out, never by the truth.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measure import circumstances
from torch import Tensor

from ebmlab import Energy, Loss, Method, fit, run
from ebmlab.energies import Ising, Pairwise
from ebmlab.inference import L1
from ebmlab.losses import difference
from ebmlab.negatives import Replay
from ebmlab.objectives import (
    ConcreteScore,
    Contrastive,
    MinimumProbabilityFlow,
    PseudoLikelihood,
    RatioMatching,
)
from ebmlab.protocols import Objective, Sampler
from ebmlab.samplers import Coloring, Gibbs, GibbsWithGradients
from ebmlab.training import ProximalGradient, falling_cosine
from ebmlab.types import Rng, Tree

F64 = torch.float64
SIDE, COUPLING, DRAWS = (4, 4), 0.2, 10_000
BATCH, STEPS, LR = 2_000, 200, 0.3
SITES = SIDE[0] * SIDE[1]
EVERY = ((torch.arange(2**SITES)[:, None] >> torch.arange(SITES)) & 1).to(F64).reshape(-1, *SIDE)


class Likelihood(Objective):
    """E(y) + log Z, with Z summed over all 2^16 states."""

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """Minus the mean log likelihood."""
        value = energy(x, y).mean() + (-energy(x, EVERY)).logsumexp(0)
        return Loss(value, {"likelihood": value.detach()}, {})


def persistent(kernel: Callable[[Pairwise], Sampler], steps: int) -> Callable[..., Objective]:
    """Contrastive divergence of chains that go on."""
    return lambda energy, pool: Contrastive(
        difference, Replay(pool, kernel(energy), steps, rebirth=0.0)
    )


@dataclass(frozen=True)
class Entry:
    """An objective of (energy, a pool of starts), and whether its gradients are random."""

    objective: Callable[[Pairwise, Tensor], Objective]
    random: bool = False


# A row for each objective; a new one needs nothing else.
ENTRIES = {
    "exact likelihood": Entry(lambda energy, pool: Likelihood()),
    "pseudo-likelihood": Entry(lambda energy, pool: PseudoLikelihood()),
    "ratio matching": Entry(lambda energy, pool: RatioMatching()),
    "probability flow": Entry(lambda energy, pool: MinimumProbabilityFlow()),
    "concrete score": Entry(lambda energy, pool: ConcreteScore()),
    "PCD, Gibbs": Entry(persistent(lambda e: Gibbs(Coloring(e.colors)), 1), random=True),
    "PCD, GWG": Entry(persistent(lambda e: GibbsWithGradients(), 8), random=True),
}


def free(shape: tuple[int, int], dtype: torch.dtype) -> Pairwise:
    """No couplings yet; no fields, then and later."""
    energy = Pairwise(shape).to(dtype)
    energy.fields.requires_grad_(False)
    return energy


def by_newton(objective: Objective, energy: Pairwise, y: Tensor, steps: int = 200) -> None:
    """The minimum on all data, by LBFGS."""
    learned = [p for p in energy.parameters() if p.requires_grad]
    optimizer = torch.optim.LBFGS(
        learned, max_iter=steps, tolerance_grad=1e-8, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = objective(energy, None, y).value
        value.backward()
        return value.detach()

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]


def by_steps(objective: Objective, energy: Pairwise, y: Tensor, seed: int) -> None:
    """Random gradients, steps that fall along a cosine; the mean of the second half is kept."""
    total, count = torch.zeros_like(energy.couplings.detach()), 0

    def average(step: int) -> bool:
        nonlocal count
        if step > STEPS // 2:
            total.add_(energy.couplings.detach())
            count += 1
        return False

    method = Method(energy, objective)
    optimizer = torch.optim.SGD([energy.couplings], lr=LR)
    fit(
        method,
        (None, y),
        steps=STEPS,
        batch_size=BATCH,
        optimizer=optimizer,
        schedule=falling_cosine,
        rng=torch.Generator().manual_seed(seed),
        progress=False,
        after=average,
    )
    with torch.no_grad():
        energy.couplings.copy_(total / count)


def small(seed: int, names: list[str]) -> list[dict[str, Any]]:
    """One draw of the data: a row for each objective."""
    truth = Pairwise.of(Ising(SIDE, torch.tensor(COUPLING, dtype=F64)))
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        law = (-truth(None, EVERY)).softmax(0)
    y = EVERY[torch.multinomial(law, DRAWS, replacement=True, generator=rng)]
    rows = []
    for name in names:
        energy, entry = free(SIDE, F64), ENTRIES[name]
        objective = entry.objective(energy, y[:BATCH])
        begun = time.process_time()
        if entry.random:
            by_steps(objective, energy, y, seed)
        else:
            by_newton(objective, energy, y)
        error = (energy.couplings - truth.couplings).detach().square().mean().sqrt()
        seconds = time.process_time() - begun
        rows.append({"objective": name, "seed": seed, "rmse": float(error), "seconds": seconds})
    return rows


@dataclass(frozen=True)
class Torus:
    """A periodic lattice in the convention of both orders."""

    side: int
    sigma: float
    draws: int = 2_000

    @property
    def lattice(self) -> Ising:
        """Each bond counts twice."""
        return Ising((self.side, self.side), 2 * self.sigma)

    def sample(self, seed: int) -> Tensor:
        """Independent chains, 200 sweeps from random starts, far above the critical point."""
        rng = torch.Generator().manual_seed(seed)
        start = torch.randint(0, 2, (self.draws, self.side, self.side), generator=rng).float()
        kernel = Gibbs(Coloring(self.lattice.colors))
        return run(kernel, self.lattice.given(), start, steps=200, rng=rng).state.y

    def score(self, energy: Pairwise) -> float:
        """-log of the root mean square error over the whole matrix J."""
        due = Pairwise.of(self.lattice).bonds
        return -float((0.5 * (energy.bonds - due).detach()).square().mean().sqrt().log())


# L1 per coupling of the summed pseudo-likelihood, whose slope has a standard error near 0.045.
WEIGHTS = (0.04, 0.08, 0.12, 0.16, 0.22)


def penalized(y: Tensor, weight: float) -> Pairwise:
    """Couplings by L1: accelerated proximal steps."""
    energy = free((y.shape[1], y.shape[2]), torch.float32)
    optimizer = ProximalGradient([energy.couplings], lr=0.15, penalty=L1(weight), accelerated=True)
    for _ in range(50):
        optimizer.zero_grad()
        PseudoLikelihood()(energy, None, y).value.backward()
        optimizer.step()
    return energy


def refitted(energy: Pairwise, y: Tensor) -> Pairwise:
    """The same couplings that are not 0, without a penalty."""
    kept = (energy.couplings.detach() != 0).float()
    new = free((y.shape[1], y.shape[2]), torch.float32)
    new.load_state_dict(energy.state_dict())
    handle = new.couplings.register_hook(lambda grad: grad * kept)
    by_newton(PseudoLikelihood(), new, y, steps=20)
    handle.remove()
    return new


def held_out(energy: Pairwise, y: Tensor) -> float:
    """Pseudo-likelihood of other draws."""
    return float(PseudoLikelihood()(energy, None, y).value.detach())


def chosen(y: Tensor, folds: int = 3) -> tuple[float, float]:
    """The strengths of L1 that are best on held-out folds: as it is, and after a refit."""
    parts = y.chunk(folds)
    plain, again = [0.0] * len(WEIGHTS), [0.0] * len(WEIGHTS)
    for k, part in enumerate(parts):
        rest = torch.cat([other for i, other in enumerate(parts) if i != k])
        for i, weight in enumerate(WEIGHTS):
            energy = penalized(rest, weight)
            plain[i] += held_out(energy, part)
            again[i] += held_out(refitted(energy, rest), part)
    return WEIGHTS[plain.index(min(plain))], WEIGHTS[again.index(min(again))]


def torus(case: Torus, seed: int) -> dict[str, Any]:
    """One draw of the data: without L1, with L1, and with the couplings that it keeps refitted."""
    y, begun = case.sample(seed), time.process_time()
    full = free((case.side, case.side), torch.float32)
    by_newton(PseudoLikelihood(), full, y, steps=60)
    shrink, select = chosen(y)
    kept = penalized(y, select)
    true = Pairwise.of(case.lattice).couplings != 0
    found = kept.couplings != 0
    return {
        "side": case.side,
        "sigma": case.sigma,
        "seed": seed,
        "plain": case.score(full),
        "l1": case.score(penalized(y, shrink)),
        "l1_weight": shrink,
        "refit": case.score(refitted(kept, y)),
        "refit_weight": select,
        "missed": int((true & ~found).sum()),
        "false": int((found & ~true).sum()),
        "seconds": time.process_time() - begun,
    }


CASES = (Torus(10, 0.1), Torus(10, -0.1), Torus(9, -0.1))


def small_table(rows: list[dict[str, Any]]) -> str:
    """Medians over draws."""
    exact = {r["seed"]: r["rmse"] for r in rows if r["objective"] == "exact likelihood"}
    lines = ["| objective | RMSE | ratio to exact | worst | s |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(row["objective"] for row in rows):
        own = [row for row in rows if row["objective"] == name]
        ratios = [row["rmse"] / exact[row["seed"]] for row in own]
        error, spent = (median(row[key] for row in own) for key in ("rmse", "seconds"))
        lines.append(
            f"| {name} | {error:.4f} | {median(ratios):.3f} | {max(ratios):.3f} | {spent:.1f} |"
        )
    return "\n".join(lines)


def torus_table(rows: list[dict[str, Any]]) -> str:
    """Medians over draws."""
    lines = ["| lattice | σ | no L1 | L1 | L1, refit | missed | false | s |", "|" + "---|" * 8]
    for case in CASES:
        own = [r for r in rows if (r["side"], r["sigma"]) == (case.side, case.sigma)]
        if own:
            middle = {key: median(row[key] for row in own) for key in own[0]}
            lines.append(
                f"| {case.side} × {case.side} | {case.sigma:+} | {middle['plain']:.2f} | "
                f"{middle['l1']:.2f} | {middle['refit']:.2f} | {middle['missed']:.0f} | "
                f"{middle['false']:.0f} | {middle['seconds']:.0f} |"
            )
    return "\n".join(lines)


def save(out: Path | None, about: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> None:
    """Rows and circumstances as JSON, the tables beside it as Markdown."""
    if out is None:
        return
    out.write_text(json.dumps(about | found, indent=1) + "\n")
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    head = f"`{about['command']}`\n\n{about['machine']}, {about['threads']} thread; {versions}; "
    head += f"commit {about['commit']}, {about['date']}. Medians over draws of the data.\n"
    notes = (
        "Couplings of a periodic 4 × 4 Ising model, J = 0.2, from 10,000 exact draws:",
        "-log RMSE over the whole matrix, by pseudo-likelihood of 2,000 draws; bonds that were "
        "missed, and couplings that are none:",
    )
    tables = small_table(found["small"]), torus_table(found["torus"])
    body = [f"{note}\n\n{table}\n" for note, table in zip(notes, tables, strict=True)]
    out.with_suffix(".md").write_text("\n".join([head, *body]))


def main() -> None:
    """Parse the command line, learn, print, save."""
    parser = argparse.ArgumentParser(description="couplings of Ising models by every objective")
    parser.add_argument("names", nargs="*", help="objectives of the small lattice; default: all")
    parser.add_argument("--part", choices=("small", "torus"), help="default: both")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="JSON file; the tables go beside it as .md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("once")
    about = circumstances(" ".join(["python", *sys.argv]))
    found: dict[str, list[dict[str, Any]]] = {"small": [], "torus": []}
    names = list(dict.fromkeys(["exact likelihood", *(options.names or ENTRIES)]))
    if options.part != "torus":
        for seed in range(options.seeds):
            found["small"] += small(seed, names)
            save(options.out, about, found)
        print(small_table(found["small"]), flush=True)
    if options.part != "small":
        for case in CASES:
            found["torus"] += [torus(case, seed) for seed in range(options.seeds)]
            save(options.out, about, found)
        print(torus_table(found["torus"]), flush=True)


if __name__ == "__main__":
    main()
