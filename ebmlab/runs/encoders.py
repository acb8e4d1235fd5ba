"""The backbones that runs know by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import nn

from ebmlab.networks import MLP, ConvEncoder, ResNet, vit_small, vit_tiny
from ebmlab.runs.names import named

__all__ = ["ENCODERS", "Encoder", "encoder", "patch_of"]


class Encoder(NamedTuple):
    """A network from images (n, c, h, w) to codes (n, width)."""

    network: nn.Module
    width: int


def patch_of(size: int) -> int:
    """Height and width of the patches that images of this size are cut into."""
    return 16 if size > 64 else 4 if size > 16 else 2


def _mlp(channels: int, size: int) -> Encoder:
    network = nn.Sequential(nn.Flatten(), MLP(channels * size**2, 256, (256,)), nn.SiLU())
    return Encoder(network, 256)


def _conv(channels: int, size: int) -> Encoder:
    network = ConvEncoder(channels)
    return Encoder(network, network.dim)


def _resnet(depth: int) -> Callable[[int, int], Encoder]:
    def build(channels: int, size: int) -> Encoder:
        network = ResNet(depth, channels, small=size <= 64)
        return Encoder(network, network.dim)

    return build


def _vit(kind: Callable[[int, int, int], nn.Module], width: int) -> Callable[[int, int], Encoder]:
    def build(channels: int, size: int) -> Encoder:
        return Encoder(kind(size, patch_of(size), channels), width)

    return build


ENCODERS: Mapping[str, Callable[[int, int], Encoder]] = {
    "mlp": _mlp,
    "conv": _conv,
    "resnet18": _resnet(18),
    "resnet50": _resnet(50),
    "vit-tiny": _vit(vit_tiny, 192),
    "vit-small": _vit(vit_small, 384),
}


def encoder(name: str, channels: int, size: int) -> Encoder:
    """The backbone of this name for square images, with weights from torch's generator.

    Raises:
        ConfigurationError: there is none.

    Example:
        >>> encoder("conv", 1, 8).width
        128
    """
    return named("encoder", name, ENCODERS)(channels, size)
