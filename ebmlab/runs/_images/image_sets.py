"""The image sets that runs know by name, and folders of images."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab import data
from ebmlab.data import Gallery, LazyImages
from ebmlab.data.folders import usual_size
from ebmlab.data.lazy_images import Indexed
from ebmlab.errors import ConfigurationError, DataError
from ebmlab.runs.kind import Elsewhere
from ebmlab.runs.names import named

__all__ = ["FOLDERS", "IMAGE_SETS", "ImageSet", "image_set", "image_size", "is_folder"]

_DIGITS = 1200
SHARE, HELD_OUT = 0.1, ("val", "valid", "validation", "test")


class ImageSet(NamedTuple):
    """Images (n, c, h, w) in [0, 1] with labels (n,), to train on and held out.

    Attributes:
        images, labels: to train on; labels are None where classes are not known.
        test_images, test_labels: held out.
        flip: whether a mirror image means the same.
        about: where they are from, where that is not plain from their name.
    """

    images: Indexed
    labels: Tensor | None
    test_images: Indexed
    test_labels: Tensor | None
    flip: bool
    about: str | None = None

    def limited(self, limit: int | None) -> "ImageSet":
        """The first `limit` of each, or all."""
        first = slice(limit)
        return self._replace(
            images=_part(self.images, first),
            labels=None if self.labels is None else self.labels[first],
            test_images=_part(self.test_images, first),
            test_labels=None if self.test_labels is None else self.test_labels[first],
        )

    def to(self, device: torch.device) -> "ImageSet":
        """The same on a device."""
        return self._replace(
            images=self.images.to(device),
            labels=None if self.labels is None else self.labels.to(device),
            test_images=self.test_images.to(device),
            test_labels=None if self.test_labels is None else self.test_labels.to(device),
        )


def _part(images: Indexed, rows: slice) -> Indexed:
    return images.part(rows) if isinstance(images, LazyImages) else images[rows]


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


def is_folder(name: str) -> bool:
    """Whether that names a folder: it is one, or is written as the place of one."""
    return name not in IMAGE_SETS and (
        Path(name).is_dir() or (any(mark in name for mark in "/\\") and not Path(name).is_file())
    )


FOLDERS = Elsewhere("a folder of images", is_folder)


def image_size(name: str, size: int | None) -> int | None:
    """Height and width that images of this name are brought to; None where they have their own.

    Raises:
        ConfigurationError: a size is asked for, and they have their own.
        DataError: the folder holds no image that can be read.
    """
    if is_folder(name):
        return usual_size(_parts(Path(name))[0]) if size is None else size
    if size is not None:
        raise ConfigurationError(
            f"size is {size}, but {name} is no folder of images; leave --size out"
        )
    return None


def image_set(name: str, size: int | None = None, channels: int | None = None) -> ImageSet:
    """The image set of this name, or the images in this folder.

    Of a folder with `train` and one of `val`, `valid`, `validation` and `test` the latter is held
    out; else a tenth of the images, the same ones always.

    Args:
        name: of a set, or a folder.
        size: height and width of images from a folder, as in `data.folder`.
        channels: theirs, 1 or 3; None looks.

    Raises:
        ConfigurationError: there is none.
        DataError: its files are missing, or its parts do not fit together.

    Example:
        >>> image_set("digits").test_images.shape
        torch.Size([597, 1, 8, 8])
    """
    if not is_folder(name):
        return named("data", name, IMAGE_SETS)()
    first, second = _parts(Path(name))
    train = data.folder(first, size=size, channels=channels)
    rng = torch.Generator().manual_seed(0)
    if second is None:
        train, test = train.split(SHARE, rng)
        drawn = f"{len(test.images):,} of them held out, the same ones always"
        return _joined(train, test, f"{first}: {train.about}; {drawn}")
    channels, size, _ = train.images.event
    test = data.folder(second, size=size, channels=channels)
    about = f"{first}: {train.about}; held out are {second}: {test.about}"
    # The first so many shall be of all classes.
    test = _renumbered(test, train.classes, second)
    return _joined(_shuffled(train, rng), _shuffled(test, rng), about)


def _parts(root: Path) -> tuple[Path, Path | None]:
    """The folder to train on, and the one that is held out if there is one."""
    train = root / "train"
    if not train.is_dir():
        return root, None
    return train, next((root / name for name in HELD_OUT if (root / name).is_dir()), None)


def _renumbered(test: Gallery, classes: tuple[str, ...], where: Path) -> Gallery:
    """Held-out images with the numbers of the classes of those to train on."""
    if test.labels is None or not classes:
        return test._replace(labels=None)
    if unknown := set(test.classes) - set(classes):
        raise DataError(
            f"{where} has the classes {', '.join(sorted(unknown))}, which are not among those to "
            f"train on: {', '.join(classes)}"
        )
    numbers = torch.tensor([classes.index(name) for name in test.classes])
    return test._replace(labels=numbers[test.labels], classes=classes)


def _shuffled(gallery: Gallery, rng: torch.Generator) -> Gallery:
    return gallery.part(torch.randperm(len(gallery.images), generator=rng))


def _joined(train: Gallery, test: Gallery, about: str) -> ImageSet:
    return ImageSet(train.images, train.labels, test.images, test.labels, flip=True, about=about)
