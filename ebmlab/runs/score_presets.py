"""Recipes of densities that match slopes."""

import torch

from ebmlab import methods
from ebmlab.energies import MLP
from ebmlab.energy import Energy
from ebmlab.runs.density_preset import DensityPreset, Points, held
from ebmlab.types import Potential

__all__ = ["SCORE_PRESETS"]

# Noise of denoising and energy matching blurs the density, but tells of the weights of separated
# modes. One run each of denoising on eight Gaussians: NLL 1.83, weights off by 0.05 at 0.15; 1.94
# and 0.13 at 0.1. Energy matching: 1.82 and 1.85 on eight Gaussians and moons at temperature 0.3;
# at 1 with a tenth of the flow 1.83, but 2.53 on moons, where the far field sank.
# Where noise never falls, steps drive the energy about at random; a Gaussian of the data and small
# steps hold it. After 30,000 of 0.01 two moons are at 684 nats with that Gaussian, log Z over
# [-8, 8]² 422 above that over [-4, 4]²; after as many of 0.003 at 1.82 (one run each).
LOW, TEMPERATURE = 0.07, 0.3


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
    DensityPreset(methods.denoising_score, energy=held, lr=3e-3),
    DensityPreset(methods.exact_score, lr=3e-3),
    DensityPreset(methods.sliced_score, lr=1e-2),
    DensityPreset(methods.multi_scale_score, lambda p: {"low": LOW}, energy=_of_levels,
                  density=_narrowest, lr=1e-2),
    DensityPreset(methods.energy_matching, lambda p: {"temperature": TEMPERATURE},
                  density=_tempered, lr=1e-2),
)
# fmt: on
