"""Recipes of densities that compare with neighbors, without chains or slopes."""

from ebmlab import methods
from ebmlab.runs.density_preset import DensityPreset

__all__ = ["DISCREPANCY_PRESETS"]

DISCREPANCY_PRESETS = (DensityPreset(methods.energy_discrepancy, lr=3e-3),)
