"""Recipes of densities that contrast with their own chains."""

from ebmlab.runs.density_preset import DensityPreset

__all__ = ["CHAIN_PRESETS"]

CHAIN_PRESETS: tuple[DensityPreset, ...] = ()
