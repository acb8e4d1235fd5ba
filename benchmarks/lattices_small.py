"""A periodic 4 × 4 lattice: all 120 couplings from 10,000 exact draws, by every objective.

The root mean square error as a ratio to that of exact maximum likelihood on the same draws.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from ebmlab import Method, fit
from ebmlab.energies import Ising, Pairwise
from ebmlab.losses import difference
from ebmlab.negatives import Replay
from ebmlab.objectives import (
    ConcreteScore,
    Contrastive,
    EnergyDiscrepancy,
    Likelihood,
    MinimumProbabilityFlow,
    PseudoLikelihood,
    RatioMatching,
)
from ebmlab.perturbations import Flips
from ebmlab.protocols import Objective, Sampler
from ebmlab.samplers import Coloring, Gibbs, GibbsWithGradients
from ebmlab.training import Recording, Stepping, falling_cosine

F64 = torch.float64
SIDE, COUPLING, DRAWS = (4, 4), 0.2, 10_000
BATCH, STEPS, LR = 2_000, 200, 0.3
SITES = SIDE[0] * SIDE[1]
EVERY = ((torch.arange(2**SITES)[:, None] >> torch.arange(SITES)) & 1).to(F64).reshape(-1, *SIDE)


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
    "exact likelihood": Entry(lambda energy, pool: Likelihood.over_states(pool[0])),
    "pseudo-likelihood": Entry(lambda energy, pool: PseudoLikelihood()),
    "ratio matching": Entry(lambda energy, pool: RatioMatching()),
    "probability flow": Entry(lambda energy, pool: MinimumProbabilityFlow()),
    "concrete score": Entry(lambda energy, pool: ConcreteScore()),
    "energy discrepancy": Entry(
        lambda energy, pool: EnergyDiscrepancy(Flips(0.3), 16), random=True
    ),
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
        rng=torch.Generator().manual_seed(seed),
        stepping=Stepping(schedule=falling_cosine),
        record=Recording(after=average),
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


def small_table(rows: list[dict[str, Any]]) -> str:
    """Medians over draws of the data."""
    exact = {r["seed"]: r["rmse"] for r in rows if r["objective"] == "exact likelihood"}
    lines = ["| objective | draws | RMSE | ratio to exact | worst | s |", "|" + "---|" * 6]
    for name in dict.fromkeys(row["objective"] for row in rows):
        own = [row for row in rows if row["objective"] == name]
        ratios = [row["rmse"] / exact[row["seed"]] for row in own]
        error, spent = (median(row[key] for row in own) for key in ("rmse", "seconds"))
        cells = f"{error:.4f} | {median(ratios):.3f} | {max(ratios):.3f} | {spent:.1f}"
        lines.append(f"| {name} | {len(own)} | {cells} |")
    return "\n".join(lines)
