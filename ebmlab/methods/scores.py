"""Recipes that match the slope of the energy, not its height."""

from ebmlab.energy import Energy
from ebmlab.methods.cards import card
from ebmlab.objectives import DenoisingScore
from ebmlab.protocols import Method

__all__ = ["denoising_score"]


@card(energy="any E(y)", objective="‖∇E(y + σξ) - ξ/σ‖²", collapse="slopes, not heights")
def denoising_score(energy: Energy, sigma: float) -> Method:
    """Match the slope of the energy to the direction back from noise; no negatives, no log Z.

    Source: Vincent 2011.
    """
    return Method(energy, DenoisingScore(sigma))
