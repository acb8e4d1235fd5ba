"""What methods see of images: views in pairs, crops, turned, with a support; patches; halves."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab.data.views import (
    Blocks,
    Masked,
    MultiCrop,
    Pair,
    QuarterTurn,
    dino,
    grey_images,
    simclr,
    swav,
)
from ebmlab.runs._images.encoders import patch_of, small_crop
from ebmlab.runs.preset import Feed, Setting
from ebmlab.types import Tree

__all__ = [
    "BLOCKS",
    "CROPS",
    "HALVES",
    "IMAGES",
    "NUMBERED",
    "PAIR",
    "PATCHES",
    "SUPPORTED",
    "TEACHER_CROPS",
    "TURNED",
    "VECTORS",
    "two_views",
]

PER_CLASS = 4


def two_views(setting: Setting) -> Pair:
    """The pair of views of these images: of gray ones, or of small colored ones."""
    channels, _, size = setting.shape
    if channels == 1:
        return grey_images(size, flip=setting.flip)
    return simclr(size, strength=0.5, blur=0.0)


def _pair(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """Two views as x and as y."""
    views = two_views(setting)(setting.images[rows], rng)
    return views, views


def _cropped(colored: Callable[[int, int, int], MultiCrop]) -> Feed:
    """Two large and some small views as x, the large ones as y; of colored images by a recipe."""

    def draw(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
        channels, _, size = setting.shape
        small = small_crop(size)
        crops = colored(size, small, 4)
        if channels == 1:
            other = grey_images(small, flip=setting.flip).first
            crops = MultiCrop((two_views(setting).first,) * 2, (other,) * 2)
        views = crops(setting.images[rows], rng)
        return views, views[:2]

    return Feed(draw)


def _turned(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """A view turned by some right angles as x, how many as y."""
    return QuarterTurn().labelled(two_views(setting).first(setting.images[rows], rng), rng)


def _supported(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """Two views, and a labeled support with as many images of each class."""
    views = two_views(setting)(setting.images[rows], rng)
    labels = setting.known
    chance = (labels == labels.unique()[:, None]).float()
    support = torch.multinomial(chance, PER_CLASS, replacement=True, generator=rng).flatten()
    shown = two_views(setting).first(setting.images[support], rng)
    return views, (*views, shown, labels[support])


def _patches(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """A quarter of the patches with their places as x, the others as y."""
    return Masked(patch_of(setting.shape[-1]))(setting.images[rows], rng)


def _blocks(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """The visible patches, their places, and the targets'; the images, and these again."""
    return Blocks(patch_of(setting.shape[-1]))(setting.images[rows], rng)


def _left(images: Tensor) -> Tensor:
    return images[..., : images.shape[-1] // 2]


def _halves(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """Left halves of images as x, right halves as y."""
    images = setting.images[rows]
    return _left(images), images[..., images.shape[-1] // 2 :]


def _vectors(images: Tensor) -> Tensor:
    """All pixels of an image side by side."""
    return images.flatten(1)


PAIR, CROPS, TEACHER_CROPS = Feed(_pair), _cropped(swav), _cropped(dino)
TURNED, SUPPORTED, PATCHES = Feed(_turned), Feed(_supported), Feed(_patches)
BLOCKS, HALVES = Feed(_blocks), Feed(_halves, _left)
# No x, or the number of the image.
IMAGES = Feed(lambda setting, rows, rng: (None, setting.images[rows]))
VECTORS = Feed(lambda setting, rows, rng: (None, _vectors(setting.images[rows])), _vectors)
NUMBERED = Feed(lambda setting, rows, rng: (rows, setting.images[rows]))
