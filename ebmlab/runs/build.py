"""From the arguments of a run to its parts: images, method, batches."""

from typing import NamedTuple

import torch

from ebmlab._batch_norms import batch_norms
from ebmlab._checks import named_device
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Method
from ebmlab.runs.config import Config
from ebmlab.runs.encoders import Encoder, encoder
from ebmlab.runs.image_sets import ImageSet, image_set
from ebmlab.runs.order import Order
from ebmlab.runs.preset import Preset, Setting
from ebmlab.runs.presets import preset_of
from ebmlab.training.batches import Batch

__all__ = ["Batches", "Built", "build"]


class Built(NamedTuple):
    """A run's parts, on its device."""

    preset: Preset
    method: Method
    images: ImageSet
    setting: Setting
    order: Order


class Batches:
    """The batches of a run from one of its steps on: what `fit` draws from.

    Args:
        built: the run.
        start: steps done before.
    """

    def __init__(self, built: Built, start: int = 0) -> None:
        self.built, self.step = built, start

    def __call__(self, n: int, rng: torch.Generator) -> Batch:
        """The next batch; its views are drawn with rng."""
        setting = self.built.setting
        rows = self.built.order.rows(self.step).to(setting.images.device)
        self.step += 1
        return self.built.preset.feed.draw(setting, rows, rng)


def build(config: Config, device: str | None = None) -> Built:
    """The parts of a run as it starts; the same config gives the same weights.

    Args:
        config: of the run.
        device: None takes the config's.

    Raises:
        ConfigurationError: an unknown name, an encoder or a batch that does not fit, no such
            device.
        DataError: the images are missing.
    """
    preset = preset_of(config.method)
    if preset.dim is None and config.dim is not None:
        raise ConfigurationError(
            f"dim is {config.dim}, but codes of {config.method} are the encoder's; leave --dim out"
        )
    where = named_device(device or config.device)
    images = image_set(config.data).limited(config.limit).to(where)
    order = Order(len(images.images), config.batch_size, config.seed)
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.manual_seed(config.seed)
        backbone = _backbone(preset, config, images)
        network = None if backbone is None else backbone.network.to(where)
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
            torch.Generator(where).manual_seed(config.seed),
        )
        method = preset.build(setting).to(where)
    if min(config.batch_size, len(images.images)) < 2 and batch_norms(method):
        raise ConfigurationError(
            f"batch_size is {config.batch_size} of {len(images.images)} images, and "
            f"{config.method} normalizes over the batch: a step must see at least 2"
        )
    return Built(preset, method, images, setting, order)


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
    return encoder(config.encoder, channels, size)
