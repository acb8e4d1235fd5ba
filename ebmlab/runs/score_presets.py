"""Recipes of densities that match slopes."""

from collections.abc import Callable

import torch

from ebmlab import methods
from ebmlab.energies import MLP
from ebmlab.energy import Energy
from ebmlab.runs.density_preset import DensityPreset, Points
from ebmlab.types import Potential

__all__ = ["SCORE_PRESETS"]

LOW, TEMPERATURE = 0.07, 0.1
# λ (1 - a) / 3 of equilibrium matching, which has no density: this is its nearest.
NEAREST = 4.0 * (1 - 0.8) / 3


def _of_levels(points: Points) -> Energy:
    return MLP(points.dim, x_dim=1)


def _narrowest(energy: Energy) -> Potential:
    own = next(energy.parameters())
    return energy.given(torch.full((1,), LOW, dtype=own.dtype, device=own.device))


def _at(temperature: float) -> Callable[[Energy], Potential]:
    return lambda energy: (energy / temperature).given()


# A row has one line, or as few as can be.
# fmt: off
SCORE_PRESETS: tuple[DensityPreset, ...] = (
    DensityPreset(methods.denoising_score, lr=1e-2),
    DensityPreset(methods.exact_score, lr=1e-2),
    DensityPreset(methods.sliced_score, lr=1e-2),
    DensityPreset(methods.multi_scale_score, lambda p: {"low": LOW}, energy=_of_levels,
                  density=_narrowest, lr=1e-2),
    DensityPreset(methods.energy_matching, lambda p: {"temperature": TEMPERATURE},
                  density=_at(TEMPERATURE), lr=1e-2),
    DensityPreset(methods.equilibrium_matching, density=_at(NEAREST), lr=1e-2),
)
# fmt: on
