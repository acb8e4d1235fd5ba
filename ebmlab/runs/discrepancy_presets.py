"""Recipes of densities that compare with neighbors, without chains or slopes."""

from ebmlab.runs.density_preset import DensityPreset

__all__ = ["DISCREPANCY_PRESETS"]

DISCREPANCY_PRESETS: tuple[DensityPreset, ...] = ()
