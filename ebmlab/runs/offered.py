"""The recipes that `train` offers, by name."""

from collections.abc import Mapping

from ebmlab import methods
from ebmlab.errors import ConfigurationError
from ebmlab.runs.latent_methods import LATENT_METHODS
from ebmlab.runs.masked_methods import MASKED_METHODS
from ebmlab.runs.setting import Trainable
from ebmlab.runs.view_methods import VIEW_METHODS

__all__ = ["OFFERED", "offered"]

OFFERED: Mapping[str, Trainable] = {**VIEW_METHODS, **LATENT_METHODS, **MASKED_METHODS}


def offered(name: str) -> Trainable:
    """The recipe of this name.

    Raises:
        ConfigurationError: there is none, or it is none of images; those that there are get
            listed.
    """
    if name in OFFERED:
        return OFFERED[name]
    there = ", ".join(sorted(OFFERED))
    if name in methods.__all__:
        raise ConfigurationError(
            f"{name} is no method of plain images: call ebmlab.methods.{name} and ebmlab.fit "
            f"with parts of your own; train offers {there}"
        )
    raise ConfigurationError(f"method is {name!r}; train offers {there}")
