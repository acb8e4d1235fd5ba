"""Compare the energy of data with that of data perturbed and brought back."""

import math

import torch

from ebmlab._checks import require_counts, require_generator, require_non_negative, require_tensor
from ebmlab._events import sound
from ebmlab._kinds import require_a, require_floats
from ebmlab.energy import Energy
from ebmlab.negatives.coupling import batch_norm
from ebmlab.perturbations import Perturbation
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["EnergyDiscrepancy"]


class EnergyDiscrepancy(Objective):
    """mean log[w/M + (1/M) Σ_j exp(E(x, y) - E(x, y_j))], y_j perturbed once and brought back.

    y' ~ q(y' | y) goes forward once, and y_1 … y_M ~ r(y | y') come back from it independently: no
    chains, no slopes, no log Z. Small moves make it score matching, large ones likelihood.

    With w = 1 it is `InfoNCE`, less log M, on these negatives, and its optimum
    E = -log p(y | x) + c(x) is right for every M. Another w shifts the optimum by O(1 / M); w = 0
    is the plain estimate of mean E(x, y) + log ∫ r(y | y') exp(-E(x, y)), which falls without
    bound once data and negatives are told apart.

    Args:
        perturbation: of `ebmlab.perturbations`, as `Gaussian(0.1)` or `Flips(0.1)`.
        negatives: M.
        w: w >= 0; it steadies the loss.

    Terms: `energy_discrepancy`. Metrics: `e_pos`, `e_neg` (means), `gap` = e_neg - e_pos,
    `batch_norm` (1 where it couples data and negatives).

    Raises:
        ConfigurationError: rng is missing, or y lies outside the space of the perturbation.

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.perturbations import Gaussian
        >>> objective = EnergyDiscrepancy(Gaussian(0.1))
        >>> loss = objective(MLP(2), None, torch.zeros(8, 2), torch.Generator().manual_seed(0))
        >>> sorted(loss.metrics)
        ['batch_norm', 'e_neg', 'e_pos', 'gap']

    Source: Schröder, Ou, Lim, Li, Vollmer, Duncan 2023, arXiv:2307.06431; of discrete y Schröder,
    Ou, Li, Duncan 2024, arXiv:2412.01019.
    """

    shows = ("perturbation", "negatives", "w")

    def __init__(self, perturbation: Perturbation, negatives: int = 4, w: float = 1.0) -> None:
        super().__init__()
        mend = "as ebmlab.perturbations.Gaussian(0.1) is"
        self.perturbation = require_a(Perturbation, "perturbation", perturbation, mend)
        require_counts(negatives=negatives)
        require_non_negative("w", w)
        self.negatives, self.w = negatives, w

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; data and negatives go through the energy together."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "EnergyDiscrepancy", y.device)
        away = self.perturbation.forward(y, rng).repeat(self.negatives, *[1] * (y.ndim - 1))
        points = torch.cat([y, self.perturbation.back(away, rng)])
        coupled = batch_norm(energy, points, stacklevel=3)
        energies = energy(x, points.view(self.negatives + 1, *y.shape), rng=rng)
        e_pos, e_neg = energies[0], energies[1:]
        held = torch.full_like(e_pos, self.w).log()
        gaps = torch.cat([held[None], e_pos - e_neg])
        value = (sound(gaps.logsumexp(0), e_pos) - math.log(self.negatives)).mean()
        low, high = e_pos.detach().mean(), e_neg.detach().mean()
        metrics = {"e_pos": low, "e_neg": high, "gap": high - low, "batch_norm": coupled}
        return Loss(value, {"energy_discrepancy": value.detach()}, metrics)
