"""What `train` knows of a recipe that shapes an energy of images, and the recipes it offers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ebmlab import methods
from ebmlab.energies import Denoised
from ebmlab.methods.cards import Recipe
from ebmlab.networks import Denoiser, GaussianHead, StridedDecoder, StridedEncoder
from ebmlab.protocols import Method

__all__ = ["IMAGE_ENERGIES", "ImageEnergyPreset"]

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ImageEnergyPreset:
    """A recipe as `train` offers it for pictures.

    Args:
        recipe: the function of `ebmlab.methods`; its name is the method's.
        build: the method, from the length of the codes and the shape of an image.
        dim: length of the codes, if none is asked for.
        steps: of training, if no epochs are asked for.
        lr: the first step size of AdamW, which falls to 0 along a cosine.
    """

    recipe: Recipe
    build: Callable[[int, Shape], Method]
    dim: int = 32
    steps: int = 1000
    lr: float = 2e-3


def _of_codes(dim: int, shape: Shape) -> Method:
    encoder = GaussianHead(StridedEncoder(shape, 2 * dim))
    prior = Denoised(Denoiser(dim), low=0.1)
    return methods.image_energy(encoder, StridedDecoder(dim, shape), prior)


IMAGE_ENERGIES: Mapping[str, ImageEnergyPreset] = {
    preset.recipe.__name__: preset
    for preset in (ImageEnergyPreset(methods.image_energy, _of_codes),)
}
