"""Recipes of densities that match slopes."""

import torch

from ebmlab import methods
from ebmlab.energies import MLP
from ebmlab.energy import Energy
from ebmlab.runs.density_preset import DensityPreset, Points
from ebmlab.types import Potential

__all__ = ["SCORE_PRESETS"]

LOW, TEMPERATURE = 0.07, 0.1
# More noise blurs the density more, but says more of the weights of separated modes.
SIGMA = 0.15


def _of_levels(points: Points) -> Energy:
    return MLP(points.dim, x_dim=1)


def _narrowest(energy: Energy) -> Potential:
    own = next(energy.parameters())
    return energy.given(torch.full((1,), LOW, dtype=own.dtype, device=own.device))


def _tempered(energy: Energy) -> Potential:
    return (energy / TEMPERATURE).given()


# Equilibrium matching has no row: no temperature makes a density of its energy.
# A row has one line, or as few as can be.
# fmt: off
SCORE_PRESETS: tuple[DensityPreset, ...] = (
    DensityPreset(methods.denoising_score, lambda p: {"sigma": SIGMA}, lr=1e-2),
    DensityPreset(methods.exact_score, lr=1e-2),
    DensityPreset(methods.sliced_score, lambda p: {"probes": 4}, lr=1e-2),
    DensityPreset(methods.multi_scale_score, lambda p: {"low": LOW}, energy=_of_levels,
                  density=_narrowest, lr=1e-2),
    DensityPreset(methods.energy_matching, lambda p: {"temperature": TEMPERATURE},
                  density=_tempered, lr=1e-2),
)
# fmt: on
