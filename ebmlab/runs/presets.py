"""The methods that `train` offers, by name."""

from collections.abc import Mapping

from ebmlab import methods
from ebmlab.errors import ConfigurationError
from ebmlab.runs.latent_presets import LATENT_PRESETS
from ebmlab.runs.names import named
from ebmlab.runs.preset import Preset
from ebmlab.runs.view_presets import VIEW_PRESETS

__all__ = ["PRESETS", "preset_of"]

PRESETS: Mapping[str, Preset] = {
    preset.recipe.__name__: preset
    for preset in sorted((*VIEW_PRESETS, *LATENT_PRESETS), key=lambda p: p.recipe.__name__)
}


def preset_of(method: str) -> Preset:
    """The preset of this method.

    Raises:
        ConfigurationError: there is none, or the method is not one of plain images.
    """
    if method in methods.__all__ and method not in PRESETS:
        raise ConfigurationError(
            f"{method} is not a method of plain images: call ebmlab.methods.{method} and "
            f"ebmlab.fit with parts of your own; train offers {', '.join(PRESETS)}"
        )
    return named("method", method, PRESETS)
