"""Tori of 10 × 10 and 9 × 9 spins: all couplings from 2,000 draws, few of which are not 0.

-log of the root mean square error over the whole matrix J, in the convention E = -yᵀJy over both
orders of each bond, J = σ (a coupling of 2σ). The strength of L1 is chosen by the
pseudo-likelihood of folds held out, never by the truth.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from lattices_small import by_newton, free
from torch import Tensor

from ebmlab import run
from ebmlab.energies import Ising, Pairwise
from ebmlab.inference import L1
from ebmlab.objectives import PseudoLikelihood
from ebmlab.samplers import Coloring, Gibbs
from ebmlab.training import ProximalGradient


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


def torus_table(rows: list[dict[str, Any]]) -> str:
    """Medians over draws of the data."""
    head = "| lattice | σ | draws | no L1 | L1 | L1, refit | missed | false | s |"
    lines, keys = [head, "|" + "---|" * 9], ("plain", "l1", "refit")
    for case in CASES:
        own = [r for r in rows if (r["side"], r["sigma"]) == (case.side, case.sigma)]
        if own:
            middle = {key: median(row[key] for row in own) for key in own[0]}
            scores = " | ".join(f"{middle[key]:.2f}" for key in keys)
            counts = " | ".join(f"{middle[key]:.0f}" for key in ("missed", "false", "seconds"))
            name = f"{case.side} × {case.side} | {case.sigma:+} | {len(own)}"
            lines.append(f"| {name} | {scores} | {counts} |")
    return "\n".join(lines)
