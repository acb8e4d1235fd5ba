"""The backbones that runs know by name, and those that a user brings."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from torch import nn

from ebmlab.networks import MLP, ConvEncoder, ResNet, regnety, synchronized, vit_small, vit_tiny
from ebmlab.networks._backbones.regnets import REGNETYS
from ebmlab.runs._images.brought import brought
from ebmlab.runs.names import named

__all__ = ["ENCODERS", "Encoder", "encoder", "patch_of", "small_crop"]


class Encoder(NamedTuple):
    """A network from images (n, c, h, w) to codes (n, width)."""

    network: nn.Module
    width: int


def patch_of(size: int) -> int:
    """Height and width of the patches that images of this size are cut into."""
    return 16 if size > 64 else 4 if size > 16 else 2


def _mlp(channels: int, size: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), MLP(channels * size**2, 256, (256,)), nn.SiLU())


def _regnety(name: str, channels: int, size: int) -> nn.Module:
    return regnety(name, channels)


# Each with the length of its codes.
ENCODERS: Mapping[str, tuple[Callable[[int, int], nn.Module], int]] = {
    "mlp": (_mlp, 256),
    "conv": (lambda channels, size: ConvEncoder(channels), 128),
    "resnet18": (lambda channels, size: ResNet(18, channels, small=size <= 64), 512),
    "resnet50": (lambda channels, size: ResNet(50, channels, small=size <= 64), 2048),
    "vit-tiny": (lambda channels, size: vit_tiny(size, patch_of(size), channels), 192),
    "vit-small": (lambda channels, size: vit_small(size, patch_of(size), channels), 384),
    **{f"regnety-{name}": (partial(_regnety, name), g.dim) for name, g in REGNETYS.items()},
}


def small_crop(size: int) -> int:
    """Height and width of the small ones of several crops: about half, in whole patches of 4."""
    return max(4, size // 2 // 4 * 4)


def encoder(name: str, channels: int, size: int, *, several_sizes: bool = False) -> Encoder:
    """The backbone of this name for square images, with weights from torch's generator.

    Args:
        name: one of `ENCODERS`, or of a user's own, as in `brought`.
        channels: of the images.
        size: their height and width.
        several_sizes: whether it sees smaller crops too.

    Raises:
        ConfigurationError: there is none, or it does not take such images.

    Example:
        >>> encoder("conv", 1, 8).width
        128
    """
    if ":" in name:
        sizes = (size, small_crop(size)) if several_sizes else (size,)
        network, width = brought(name, channels, sizes)
        return Encoder(synchronized(network), width)
    build, width = named("encoder", name, ENCODERS)
    return Encoder(build(channels, size), width)
