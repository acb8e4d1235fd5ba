"""Recipes of densities that tell data from noise."""

from ebmlab import methods
from ebmlab.energies import Uniform
from ebmlab.runs.density_preset import DensityPreset, Points

__all__ = ["NOISE_PRESETS"]


def _box(p: Points) -> Uniform:
    """The square about the toys, or about all points where they reach further."""
    corner = p.points.abs().amax(0).clamp(min=4.0)
    return Uniform(-corner, corner)


NOISE_PRESETS: tuple[DensityPreset, ...] = (
    DensityPreset(methods.noise_contrastive, lambda p: {"density": _box(p)}, lr=5e-3),
)
