"""The image sets that runs know by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab import data
from ebmlab.runs.names import named

__all__ = ["IMAGE_SETS", "ImageSet", "image_set"]

_DIGITS = 1200


class ImageSet(NamedTuple):
    """Images (n, c, h, w) in [0, 1] with labels (n,), to train on and held out.

    `flip` says whether a mirror image means the same.
    """

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    flip: bool

    def limited(self, limit: int | None) -> "ImageSet":
        """The first `limit` of each, or all."""
        return ImageSet(*(part[:limit] for part in self[:4]), flip=self.flip)

    def to(self, device: torch.device) -> "ImageSet":
        """The same on a device."""
        return ImageSet(*(part.to(device) for part in self[:4]), flip=self.flip)


def _digits() -> ImageSet:
    """1,200 digits and 597 held out, the same ones always."""
    images, labels = data.digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    first, rest = order[:_DIGITS], order[_DIGITS:]
    return ImageSet(images[first], labels[first], images[rest], labels[rest], flip=False)


IMAGE_SETS: Mapping[str, Callable[[], ImageSet]] = {
    "digits": _digits,
    "mnist": lambda: ImageSet(*data.mnist("train"), *data.mnist("test"), flip=False),
    "fashion-mnist": lambda: ImageSet(
        *data.fashion_mnist("train"), *data.fashion_mnist("test"), flip=True
    ),
    "cifar10": lambda: ImageSet(*data.cifar10("train"), *data.cifar10("test"), flip=True),
}


def image_set(name: str) -> ImageSet:
    """The image set of this name.

    Raises:
        ConfigurationError: there is none.
        DataError: its files are missing.

    Example:
        >>> image_set("digits").test_images.shape
        torch.Size([597, 1, 8, 8])
    """
    return named("data", name, IMAGE_SETS)()
