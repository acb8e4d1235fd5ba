"""The parts of a run on images."""

from dataclasses import dataclass

import torch

from ebmlab._batch_norms import batch_norms
from ebmlab.errors import ConfigurationError
from ebmlab.runs._images.encoders import Encoder, encoder
from ebmlab.runs._images.image_sets import ImageSet, image_set
from ebmlab.runs.config import Config
from ebmlab.runs.kind import Built
from ebmlab.runs.order import Order
from ebmlab.runs.preset import Preset, Setting

__all__ = ["ImageRun", "image_run"]


@dataclass(frozen=True, eq=False)
class ImageRun(Built):
    """A method of images, those it learns from, and all that followed from them."""

    preset: Preset
    images: ImageSet
    setting: Setting


def image_run(config: Config, preset: Preset, device: torch.device) -> ImageRun:
    """The parts of a run as it starts.

    Raises:
        ConfigurationError: an encoder, a dim or a batch that does not fit.
        DataError: the images are missing.
    """
    if preset.dim is None and config.dim is not None:
        raise ConfigurationError(
            f"dim is {config.dim}, but codes of {config.method} are the encoder's; leave --dim out"
        )
    images = image_set(config.data, config.size).limited(config.limit).to(device)
    order = Order(len(images.images), config.batch_size, config.seed)
    backbone = _backbone(preset, config, images)
    network = None if backbone is None else backbone.network.to(device)
    width = 0 if backbone is None else backbone.width
    setting = Setting(
        images.images,
        images.labels,
        images.flip,
        config.batch_size,
        order.epoch,
        config.dim or width,
        network,
        width,
        torch.Generator(device).manual_seed(config.seed),
    )
    method = preset.build(setting).to(device)
    if min(config.batch_size, len(images.images)) < 2 and batch_norms(method):
        raise ConfigurationError(
            f"batch_size is {config.batch_size} of {len(images.images)} images, and "
            f"{config.method} normalizes over the batch: a step must see at least 2"
        )
    return ImageRun(config, method, order, device, preset, images, setting)


def _backbone(preset: Preset, config: Config, images: ImageSet) -> Encoder | None:
    if (config.encoder is None) != (preset.encoder is None):
        raise ConfigurationError(
            f"encoder is {config.encoder!r}, but {config.method} takes "
            f"{'none' if preset.encoder is None else 'one'}; leave --encoder out"
        )
    if config.encoder is None:
        return None
    if preset.several_sizes and config.encoder == "mlp":
        raise ConfigurationError(
            f"encoder mlp sees images of one size, but {config.method} crops several; take "
            "another, such as conv"
        )
    channels, _, size = images.images.shape[1:]
    return encoder(config.encoder, channels, size, several_sizes=preset.several_sizes)
