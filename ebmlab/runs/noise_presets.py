"""Recipes of densities that contrast with noise and with perturbed data."""

from ebmlab.runs.density_preset import DensityPreset

__all__ = ["NOISE_PRESETS"]

NOISE_PRESETS: tuple[DensityPreset, ...] = ()
