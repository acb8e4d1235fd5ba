"""Images in a data set of Hugging Face's `datasets`."""

from typing import Any

import torch

from ebmlab._checks import require_counts
from ebmlab.data._folders.extra import loaded
from ebmlab.data._folders.reading import Streamed
from ebmlab.data.galleries import Gallery
from ebmlab.data.lazy_images import LazyImages
from ebmlab.errors import ConfigurationError

__all__ = ["from_datasets"]


def from_datasets(
    dataset: Any, *, image: str = "image", label: str = "label", size: int = 64, channels: int = 3
) -> Gallery:
    """The images of a `datasets.Dataset`, made of one size as in `folder`, read when asked for.

    In place of an image that cannot be read stands the next that can; each is named in a warning.
    Needs `pip install ebmlab[data]`.

    Args:
        dataset: one split, such as `datasets.load_dataset(…, split="train")`.
        image: its column of images.
        label: its column of classes; without one there are no labels.
        size: height and width of the images.
        channels: 1 (gray) or 3.

    Raises:
        ConfigurationError: `datasets` is not installed; this is no single split, or one that can
            only be walked through; there is no such column of images.
    """
    package = loaded("datasets", "data")
    require_counts(size=size, channels=channels)
    if not isinstance(dataset, package.Dataset):
        raise ConfigurationError(
            f"dataset is a {type(dataset).__name__}; expected a datasets.Dataset, which is one "
            'split that is not streamed: load_dataset(…, split="train")'
        )
    feature = dataset.features.get(image)
    if not isinstance(feature, package.Image):
        raise ConfigurationError(
            f"image is {image!r}, but the data set's columns are {dataset.features}; name the one "
            "that is an Image"
        )
    event = (channels, size, size)
    read = Streamed(lambda row: dataset[row][image], str, len(dataset), event, "data set")
    names = getattr(dataset.features.get(label), "names", None)
    labels = torch.tensor(dataset[label][:]) if names else None
    return Gallery(
        LazyImages(read, torch.arange(len(dataset)), event),
        labels,
        tuple(names or ()),
        f"{len(dataset):,} images, {size} × {size}, read anew each time",
    )
