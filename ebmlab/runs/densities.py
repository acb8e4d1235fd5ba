"""The recipes of densities that `train` offers, by name."""

from collections.abc import Mapping

from ebmlab.runs.chain_presets import CHAIN_PRESETS
from ebmlab.runs.density_preset import DensityPreset
from ebmlab.runs.discrepancy_presets import DISCREPANCY_PRESETS
from ebmlab.runs.noise_presets import NOISE_PRESETS
from ebmlab.runs.score_presets import SCORE_PRESETS

__all__ = ["DENSITIES"]

_ALL = (*NOISE_PRESETS, *DISCREPANCY_PRESETS, *SCORE_PRESETS, *CHAIN_PRESETS)
DENSITIES: Mapping[str, DensityPreset] = {preset.recipe.__name__: preset for preset in _ALL}
