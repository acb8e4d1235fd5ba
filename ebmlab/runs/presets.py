"""The methods that `train` offers on images, by name."""

from collections.abc import Mapping

from ebmlab.runs.latent_presets import LATENT_PRESETS
from ebmlab.runs.preset import Preset
from ebmlab.runs.view_presets import VIEW_PRESETS

__all__ = ["PRESETS"]

PRESETS: Mapping[str, Preset] = {
    preset.recipe.__name__: preset
    for preset in sorted((*VIEW_PRESETS, *LATENT_PRESETS), key=lambda p: p.recipe.__name__)
}
