"""The parts of a run that shapes an energy of images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError
from ebmlab.objectives import Encoded, MultiScaleScore
from ebmlab.runs._images.image_sets import ImageSet, image_set
from ebmlab.runs.config import Config
from ebmlab.runs.image_energy_preset import ImageEnergyPreset
from ebmlab.runs.kind import Built
from ebmlab.runs.order import Order
from ebmlab.types import Posterior

__all__ = ["ImageEnergyRun", "image_energy_run"]


@dataclass(frozen=True, eq=False)
class ImageEnergyRun(Built):
    """An energy of images, and those it learns from."""

    preset: ImageEnergyPreset
    images: ImageSet

    @property
    def energy(self) -> Reconstruction:
        """E(y, z), with the prior of z."""
        assert isinstance(self.method.energy, Reconstruction)
        return self.method.energy

    @property
    def shape(self) -> MultiScaleScore:
        """What shapes the prior; it knows the noise levels."""
        assert isinstance(self.method.objective, Encoded)
        assert isinstance(self.method.objective.shape, MultiScaleScore)
        return self.method.objective.shape

    @torch.no_grad()
    def energy_of(self, codes: Tensor) -> Tensor:
        """E(z) of the prior at the lowest level, (n,) in float64."""
        assert self.energy.prior is not None
        return self.energy.prior(None, codes).double()

    def posterior(self, images: Tensor, rng: torch.Generator) -> Posterior:
        """q(z | y) as the encoder gives it."""
        assert isinstance(self.method.objective, Encoded)
        plain, _ = self.energy.split(lambda prior: True)
        return self.method.objective.infer(plain, None, images, 1.0, rng=rng)

    @property
    def dim(self) -> int:
        """Length of the codes."""
        assert self.config.dim is not None
        return self.config.dim


def image_energy_run(
    config: Config, preset: ImageEnergyPreset, device: torch.device
) -> ImageEnergyRun:
    """The parts of a run as it starts.

    Raises:
        ConfigurationError: an encoder, which is the preset's; images whose size 4 does not divide.
        DataError: the images are missing.
    """
    if config.encoder is not None:
        raise ConfigurationError(
            f"encoder is {config.encoder!r}, but {config.method} brings its own; leave --encoder "
            "out"
        )
    images = image_set(config.data).limited(config.limit).to(device)
    channels, height, width = images.images.shape[1:]
    method = preset.build(config.dim or preset.dim, (channels, height, width)).to(device)
    order = Order(len(images.images), config.batch_size, config.seed)
    return ImageEnergyRun(config, method, order, device, preset, images)
