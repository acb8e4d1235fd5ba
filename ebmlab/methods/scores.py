"""Recipes that match the slope of the energy, not its height."""

from ebmlab.energy import Energy
from ebmlab.methods.cards import card
from ebmlab.objectives import (
    DenoisingScore,
    EnergyMatching,
    EquilibriumMatching,
    ExactScore,
    MultiScaleScore,
    SlicedScore,
)
from ebmlab.protocols import Method, Objective

__all__ = [
    "denoising_score",
    "energy_matching",
    "equilibrium_matching",
    "exact_score",
    "multi_scale_score",
    "sliced_score",
]


@card(energy="any E(y)", objective="‖∇E(y + σξ) - ξ/σ‖²", collapse="slopes, not heights")
def denoising_score(energy: Energy, sigma: float = 0.15) -> Method:
    """Match the slope of the energy to the direction back from noise; no negatives, no log Z.

    Source: Vincent 2011.
    """
    return Method(energy, DenoisingScore(sigma))


@card(energy="any smooth E(y)", objective="½ ‖∇E‖² - ΔE", collapse="curvature at the data")
def exact_score(energy: Energy) -> Method:
    """Match the slope of the energy to that of the data themselves; y has few entries.

    Source: Hyvärinen 2005.
    """
    return Method(energy, ExactScore())


@card(energy="any smooth E(y)", objective="½ ‖∇E‖² - vᵀ ∇²E v", collapse="curvature at the data")
def sliced_score(energy: Energy, probes: int = 4) -> Method:
    """Match the slope of the energy to that of the data themselves, by random directions v.

    Source: Song, Garg, Shi, Ermon 2019, arXiv:1905.07088.
    """
    return Method(energy, SlicedScore(probes))


@card(
    energy="any E(σ, y)", objective="slopes in ỹ = y + σξ and in σ", collapse="slopes, not heights"
)
def multi_scale_score(
    energy: Energy, low: float = 0.07, high: float = 0.7, time: float = 1.0
) -> Method:
    """Match slopes at all noise levels, tied to each other: separated modes get their weights.

    The energy takes σ as its x, or [x, σ] where there is an x.

    Source: Song, Ermon 2019, arXiv:1907.05600; Guth, Kadkhodaie, Simoncelli 2025,
    arXiv:2506.05310.
    """
    return Method(energy, MultiScaleScore(low, high, time))


@card(energy="any E(y)", objective="‖∇E(y_t) - c(t) (y0 - y)‖²", collapse="slopes, not heights")
def equilibrium_matching(energy: Energy, strength: float = 4.0, decay: float = 0.8) -> Method:
    """Slopes that lead from noise to the data and end there, without noise levels.

    Source: Wang, Du 2025, arXiv:2510.02300.
    """
    return Method(energy, EquilibriumMatching(strength, decay))


@card(
    energy="any E(y)",
    objective="flow of paired noise, then a score",
    collapse="slopes, not heights",
)
def energy_matching(
    energy: Energy, temperature: float = 0.3, flow: float = 0.01, near: Objective | None = None
) -> Method:
    """A flow from noise far from the data, a density at them: one energy for both.

    Args:
        energy: E(y).
        temperature: T of the density exp(-E / T).
        flow: weight of the flow.
        near: shapes the density; None is `DenoisingScore(0.15)`, where the paper runs chains.

    Source: Balcerak et al. 2025, arXiv:2504.10612.
    """
    near = DenoisingScore(0.15) if near is None else near
    return Method(energy, EnergyMatching(near, temperature, flow))
