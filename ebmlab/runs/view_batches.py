"""What recipes with views see of images: pairs, crops of several sizes, turns, a support."""

import torch
from torch import Tensor

from ebmlab.data.views import MultiCrop, Pair, QuarterTurn, dino, grey_images, simclr, swav
from ebmlab.runs.setting import Setting
from ebmlab.types import Tree

__all__ = ["multi_crop", "pair", "supported", "teacher_crops", "turned", "two_views"]

PER_CLASS = 4


def two_views(setting: Setting) -> Pair:
    """The pair of views of these images: of gray ones, or of small colored ones."""
    channels, _, size = setting.shape
    if channels == 1:
        return grey_images(size, flip=setting.flip)
    return simclr(size, strength=0.5, blur=0.0)


def pair(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """Two views as x and as y."""
    views = two_views(setting)(setting.images[rows], rng)
    return views, views


def _small(size: int) -> int:
    """About half the size, in whole patches of 4."""
    return max(4, size // 2 // 4 * 4)


def _crops(setting: Setting) -> MultiCrop:
    channels, _, size = setting.shape
    if channels == 3:
        return swav(size, _small(size), 4)
    large, other = two_views(setting).first, grey_images(_small(size), flip=setting.flip).first
    return MultiCrop((large,) * 2, (other,) * 2)


def multi_crop(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """Two large and some small views as x, the large ones as y."""
    views = _crops(setting)(setting.images[rows], rng)
    return views, views[:2]


def teacher_crops(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """DINO's views as x, the large ones as y."""
    channels, _, size = setting.shape
    if channels == 1:
        return multi_crop(setting, rows, rng)
    views = dino(size, _small(size), 4)(setting.images[rows], rng)
    return views, views[:2]


def turned(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """A view turned by some right angles as x, how many as y."""
    return QuarterTurn().labelled(two_views(setting).first(setting.images[rows], rng), rng)


def supported(setting: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """Two views, and a labeled support with as many images of each class."""
    views = two_views(setting)(setting.images[rows], rng)
    classes = setting.labels.unique()
    chance = (setting.labels == classes[:, None]).float()
    support = torch.multinomial(chance, PER_CLASS, replacement=True, generator=rng).flatten()
    shown = two_views(setting).first(setting.images[support], rng)
    return views, (*views, shown, setting.labels[support])
