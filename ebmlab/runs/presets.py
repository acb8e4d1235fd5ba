"""The methods that `train` offers, by name."""

from collections.abc import Mapping

from ebmlab import methods
from ebmlab.errors import ConfigurationError
from ebmlab.runs.latent_presets import LATENT_PRESETS
from ebmlab.runs.names import named
from ebmlab.runs.preset import Preset
from ebmlab.runs.view_presets import VIEW_PRESETS

__all__ = ["PRESETS", "preset"]

PRESETS: Mapping[str, Preset] = {
    row.recipe.__name__: row
    for row in sorted((*VIEW_PRESETS, *LATENT_PRESETS), key=lambda row: row.recipe.__name__)
}


def preset(name: str) -> Preset:
    """The preset of this method.

    Raises:
        ConfigurationError: there is none, or the method is not one of plain images.
    """
    if name in methods.__all__ and name not in PRESETS:
        raise ConfigurationError(
            f"{name} is not a method of plain images: call ebmlab.methods.{name} and ebmlab.fit "
            f"with parts of your own; train offers {', '.join(PRESETS)}"
        )
    return named("method", name, PRESETS)
