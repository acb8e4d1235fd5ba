"""Residual networks of images."""

from collections.abc import Callable

from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError
from ebmlab.networks._backbones.images import require_channels
from ebmlab.networks.batch_norm import BatchNorm
from ebmlab.networks.recomputed import Recomputable

__all__ = ["ResNet"]

Norm = Callable[[int], nn.Module]
Activation = Callable[[], nn.Module]

# Depth: blocks of each stage, and whether they are bottlenecks.
_STAGES = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
}
_EXPANSION = 4


class ResNet(nn.Module):
    """A residual network without its classifier: (n, channels, h, w) -> (n, dim).

    The stride of a bottleneck lies in its 3 × 3 convolution. At 3 channels, width 64 and the
    stem of large images depth 18 has 11,176,512 parameters and depth 50 has 23,508,032.

    Args:
        depth: 18, 34, 50 or 101.
        channels: of the images.
        small: the stem for images as small as CIFAR-10's, one 3 × 3 convolution; otherwise
            7 × 7 with stride 2 and a maximum over 3 × 3 with stride 2.
        width: channels of the first stage; each of the other three doubles them.
        zero_init: start the last scale of each block at 0, so that all blocks begin as the
            identity; it needs a `norm` with a weight.
        norm: makes a normalization for that many channels. Batch normalization lets the code of an
            image depend on the batch in training.
        activation: makes the module between convolutions.

    Attributes:
        dim: length of the code.

    Raises:
        ConfigurationError: no such depth.
        ShapeError: images are not (n, channels, h, w).

    Example:
        >>> import torch
        >>> ResNet(18, small=True, width=8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 64])

    Source: He, Zhang, Ren, Sun 2016, arXiv:1512.03385; Goyal et al. 2017, arXiv:1706.02677.
    """

    def __init__(
        self,
        depth: int = 18,
        channels: int = 3,
        *,
        small: bool = False,
        width: int = 64,
        zero_init: bool = False,
        norm: Norm = BatchNorm,
        activation: Activation = nn.ReLU,
    ) -> None:
        super().__init__()
        if depth not in _STAGES:
            raise ConfigurationError(f"depth is {depth}; it must be one of {tuple(_STAGES)}")
        require_counts(channels=channels, width=width)
        counts, bottleneck = _STAGES[depth]
        self.channels = channels
        self.stem = _stem(channels, width, small, norm, activation)
        stages: list[nn.Module] = []
        inputs = width
        for i, count in enumerate(counts):
            blocks: list[nn.Module] = []
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(_Block(inputs, width * 2**i, stride, bottleneck, norm, activation))
                inputs = width * 2**i * (_EXPANSION if bottleneck else 1)
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.dim = inputs
        _start(self, zero_init)

    def forward(self, images: Tensor) -> Tensor:
        """Codes (n, dim)."""
        require_channels(type(self).__name__, images, self.channels)
        return self.pool(self.stages(self.stem(images)))


def _stem(
    channels: int, width: int, small: bool, norm: Norm, activation: Activation
) -> nn.Sequential:
    first = _conv(channels, width, 3) if small else _conv(channels, width, 7, 2)
    pool = [] if small else [nn.MaxPool2d(3, stride=2, padding=1)]
    return nn.Sequential(first, norm(width), activation(), *pool)


class _Block(Recomputable):
    """activation(branch(h) + shortcut(h)): two 3 × 3 convolutions, or 1 × 1, 3 × 3, 1 × 1."""

    def __init__(
        self, inputs: int, width: int, stride: int, deep: bool, norm: Norm, activation: Activation
    ) -> None:
        super().__init__()
        outputs = width * _EXPANSION if deep else width
        narrow = (inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)
        shape = narrow if deep else ((inputs, width, 3, stride), (width, width, 3, 1))
        layers: list[nn.Module] = []
        for convolution in shape:
            layers += [_conv(*convolution), norm(convolution[1]), activation()]
        self.branch = nn.Sequential(*layers[:-1])
        self.shortcut = (
            nn.Identity()
            if inputs == outputs and stride == 1
            else nn.Sequential(_conv(inputs, outputs, 1, stride), norm(outputs))
        )
        self.activation = activation()

    def forward(self, h: Tensor) -> Tensor:
        return self.activation(self.branch(h) + self.shortcut(h))


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


def _start(network: nn.Module, zero_init: bool) -> None:
    """Weights that keep the variance of gradients, and blocks that begin as the identity."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if zero_init and isinstance(module, _Block):
            nn.init.zeros_(module.branch[-1].get_parameter("weight"))
