"""Recipes of densities that match slopes."""

from ebmlab.runs.density_preset import DensityPreset

__all__ = ["SCORE_PRESETS"]

SCORE_PRESETS: tuple[DensityPreset, ...] = ()
