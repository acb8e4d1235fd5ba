"""Recipes that compare data with what a small move makes of them."""

from ebmlab.energy import Energy
from ebmlab.methods.cards import card
from ebmlab.objectives import EnergyDiscrepancy
from ebmlab.perturbations import Gaussian, Perturbation
from ebmlab.protocols import Method

__all__ = ["energy_discrepancy"]


@card(energy="any E(x, y)", objective="log[w + Σ_j exp(E(y) - E(y_j))]", collapse="perturbed data")
def energy_discrepancy(
    energy: Energy, perturbation: Perturbation | None = None, negatives: int = 4, w: float = 1.0
) -> Method:
    """Energy discrepancy: data lie lower than what a move there and back makes of them.

    Args:
        energy: E, of points, bits or one-hot states.
        perturbation: of `ebmlab.perturbations`; None takes `Gaussian(0.3)`, for points that spread
            over a few units. Moves too small to lead from mode to mode leave the modes' weights
            open. Of bits take `Flips(0.1)`.
        negatives: M for each datum.
        w: steadies the loss; 1 leaves the optimum where it is.

    Source: Schröder, Ou, Lim, Li, Vollmer, Duncan 2023, arXiv:2307.06431; of discrete y Schröder,
    Ou, Li, Duncan 2024, arXiv:2412.01019.
    """
    perturbation = Gaussian(0.3) if perturbation is None else perturbation
    return Method(energy, EnergyDiscrepancy(perturbation, negatives, w))
