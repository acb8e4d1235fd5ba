"""Recipes of densities that match slopes."""

from ebmlab import methods
from ebmlab.runs.density_preset import DensityPreset

__all__ = ["SCORE_PRESETS"]

SCORE_PRESETS: tuple[DensityPreset, ...] = (
    DensityPreset(methods.denoising_score, lambda p: {"sigma": 0.15}, lr=3e-3),
)
