"""What `train` knows of a method: its recipe, with sizes that follow from the images of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ebmlab.data.galleries import required_labels
from ebmlab.data.lazy_images import Indexed
from ebmlab.methods.cards import Recipe
from ebmlab.protocols import Method
from ebmlab.types import Tree

__all__ = ["Feed", "Preset", "Setting"]

NUMBERS = 2**28


@dataclass(frozen=True, eq=False)
class Setting:
    """The images and sizes of one run.

    Args:
        images, labels: to train on, (n, c, h, w) and (n,); labels are None where there are none.
        flip: whether mirror images mean the same.
        batch_size, epoch: images in a step, steps in an epoch.
        dim: length of the codes.
        backbone, width: the network, (n, c, h, w) -> (n, width); None where there is none.
        rng: for what the recipe draws at the start.
    """

    images: Indexed
    labels: Tensor | None
    flip: bool
    batch_size: int
    epoch: int
    dim: int
    backbone: nn.Module | None
    width: int
    rng: torch.Generator

    @property
    def shape(self) -> torch.Size:
        """Of one image, (c, h, w)."""
        return self.images.shape[1:]

    @property
    def known(self) -> Tensor:
        """The labels, as in `required_labels`."""
        return required_labels(self.labels)

    @property
    def vectors(self) -> Tensor:
        """Images side by side, (n, pixels): all, or the first so many that fill a gigabyte."""
        return self.images[: max(1, NUMBERS // self.pixels)].flatten(1)

    @property
    def pixels(self) -> int:
        """Numbers in an image."""
        return self.shape.numel()


class Feed(NamedTuple):
    """How a method sees images.

    Attributes:
        draw: (setting, rows, rng) -> (x, y), a batch of those images.
        shown: images (n, c, h, w) as `Method.encode` takes them.
    """

    draw: Callable[[Setting, Tensor, torch.Generator], tuple[Tree, Tree]]
    shown: Callable[[Tensor], Tensor] = lambda images: images


@dataclass(frozen=True)
class Preset:
    """A method as `train` offers it.

    Args:
        recipe: the function of `ebmlab.methods`; its name is the method's.
        feed: how it sees images.
        encoder: the backbone if none is asked for; None where the method takes none.
        dim: length of the codes, number of clusters or atoms, if none is asked for; None where
            they are the backbone's.
        sizes: the recipe's arguments for a setting.
        measure: what the energy of held-out data is, where it says something by itself.
        several_sizes: whether the backbone must take images of several sizes.
        settles: whether an epoch of commits comes before the first step.
    """

    recipe: Recipe
    feed: Feed
    encoder: str | None
    dim: int | None
    sizes: Callable[[Setting], dict[str, Any]]
    measure: str | None = None
    several_sizes: bool = False
    settles: bool = False

    def build(self, setting: Setting) -> Method:
        """The method for these images."""
        return self.recipe(**self.sizes(setting))
