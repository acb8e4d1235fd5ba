"""An exhibit for every method of ebmlab: a picture, what to see in it, and the code it is of."""

from ebmlab import methods
from pictures import adversaries, densities, images, latent, lattices, predictive, views, words
from pictures.exhibit import Exhibit

__all__ = ["METHODS", "Exhibit"]

_FAMILIES = (adversaries, densities, images, latent, lattices, predictive, views, words)
_FOUND = {
    name: value
    for family in _FAMILIES
    for name, value in vars(family).items()
    if isinstance(value, Exhibit)
}
METHODS: dict[str, Exhibit] = {name: _FOUND[name] for name in methods.__all__ if name in _FOUND}
