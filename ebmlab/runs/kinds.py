"""The kinds of runs there are, and which one a method is of."""

from collections.abc import Mapping
from typing import Any

from ebmlab import methods
from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError
from ebmlab.runs._image_energies.kind import ImageEnergies
from ebmlab.runs._images.kind import Images
from ebmlab.runs._points.kind import Densities
from ebmlab.runs._texts.kind import Texts
from ebmlab.runs.config import Config
from ebmlab.runs.densities import DENSITIES
from ebmlab.runs.image_energy_preset import IMAGE_ENERGIES
from ebmlab.runs.kind import Kind
from ebmlab.runs.names import named
from ebmlab.runs.presets import PRESETS
from ebmlab.runs.text_preset import TEXTS

__all__ = ["KINDS", "OFFERED", "configured", "kind_of", "require_fit"]

KINDS: tuple[Kind[Any, Any], ...] = (
    Images(PRESETS),
    ImageEnergies(IMAGE_ENERGIES),
    Densities(DENSITIES),
    Texts(TEXTS),
)
OFFERED: Mapping[str, Kind[Any, Any]] = dict(
    sorted(((name, kind) for kind in KINDS for name in kind.presets), key=lambda pair: pair[0])
)


def kind_of(method: str) -> Kind[Any, Any]:
    """What runs of this method are.

    Raises:
        ConfigurationError: there is no such method, or `train` does not offer it.
    """
    if method in methods.__all__ and method not in OFFERED:
        raise ConfigurationError(
            f"train does not offer {method}: call ebmlab.methods.{method} and "
            f"ebmlab.fit with parts of your own; it offers {', '.join(OFFERED)}"
        )
    return named("method", method, OFFERED)


def require_fit(method: str, data: str) -> None:
    """Raise where a method learns data of another kind than these, or there are no such data."""
    kind = kind_of(method)
    if kind.takes(data):
        return
    for other in KINDS:
        if other.takes(data):
            known = [*kind.sets, *["a file"] * kind.files]
            raise ConfigurationError(
                f"{method} learns {kind.noun}, and {data} are {other.noun}: choose --data "
                f"{', '.join(known)}; or a method of {other.noun}, such as "
                f"{' or '.join(list(other.presets)[:3])}"
            )
    named("data", data, {name: None for each in (kind, *KINDS) for name in each.sets})


def configured(
    method: str,
    data: str | None = None,
    *,
    epochs: int | None = None,
    batch_size: int = 128,
    lr: float | None = None,
    decay: bool = True,
    encoder: str | None = None,
    dim: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    **training: Any,
) -> Config:
    """The config of a run, where None is what is usual for the method and its data.

    `training` are further fields of `Config`, as they are there.

    Raises:
        ConfigurationError: as in `Config`, `kind_of` and `require_fit`.
        DataError: the data are missing.

    Example:
        >>> configured("vae").encoder, configured("denoising_score").data
        ('mlp', 'eight-gaussians')
    """
    kind = kind_of(method)
    data = next(iter(kind.sets)) if data is None else data
    require_fit(method, data)
    require_counts(batch_size=batch_size, **({} if limit is None else {"limit": limit}))
    usual = kind.usual(method, data, batch_size, limit)
    return Config(
        method,
        data,
        usual.epochs if epochs is None else epochs,
        batch_size,
        usual.lr if lr is None else lr,
        decay,
        usual.encoder if encoder is None else encoder,
        usual.dim if dim is None else dim,
        limit,
        seed,
        device,
        **training,
    )
