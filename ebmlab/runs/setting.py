"""What a recipe is built from in a run, and the table's rows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Method
from ebmlab.types import Tree

__all__ = ["Setting", "Trainable", "encoded"]


@dataclass(frozen=True, eq=False)
class Setting:
    """The images and sizes of one run.

    Args:
        images: to train on, (n, c, h, w).
        labels: (n,).
        flip: whether mirror images mean the same.
        batch_size: images in a step.
        epoch: steps in an epoch.
        dim: length of the codes.
        network: the backbone, (n, c, h, w) -> (n, width); None where the recipe takes none.
        width: its length.
        rng: for what the recipe draws at the start.
    """

    images: Tensor
    labels: Tensor
    flip: bool
    batch_size: int
    epoch: int
    dim: int
    network: nn.Module | None
    width: int
    rng: torch.Generator

    @property
    def backbone(self) -> nn.Module:
        """The network of a recipe that takes one."""
        if self.network is None:
            raise ConfigurationError("this setting has no encoder, and the recipe takes one")
        return self.network

    @property
    def shape(self) -> torch.Size:
        """Of one image, (c, h, w)."""
        return self.images.shape[1:]

    @property
    def pixels(self) -> int:
        """Numbers in an image."""
        return self.shape.numel()


def encoded(method: Method, images: Tensor) -> Tensor:
    """The codes of a method with an encoder of images."""
    return method.encode(images)


@dataclass(frozen=True)
class Trainable:
    """A recipe as `train` offers it.

    Args:
        build: makes the method.
        draw: (setting, rows, rng) -> (x, y), what the method sees of these images.
        encoder: the backbone if none is asked for; None where the recipe takes none.
        dim: length of the codes, number of clusters or atoms, if none is asked for; None where
            they are the backbone's.
        codes: the representation of images, (n, d).
        measure: what the energy of held-out data is, where it says something by itself.
        several_sizes: whether the backbone must take images of several sizes.
        settles: whether an epoch of commits comes before the first step.
    """

    build: Callable[[Setting], Method]
    draw: Callable[[Setting, Tensor, torch.Generator], tuple[Tree, Tree]]
    encoder: str | None
    dim: int | None
    codes: Callable[[Method, Tensor], Tensor] = encoded
    measure: str | None = None
    several_sizes: bool = False
    settles: bool = False
