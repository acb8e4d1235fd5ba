"""RegNetY: residual networks whose widths grow along a line."""

import math
from itertools import groupby

import torch
from torch import Tensor, nn

from ebmlab.networks._backbones.images import require_channels
from ebmlab.networks.batch_norm import BatchNorm

__all__ = ["RegNetY", "stages_of"]

_STEM = 32
_MULTIPLE = 8
_SQUEEZE = 0.25


def stages_of(
    depth: int, initial: int, slope: float, growth: float, group: int
) -> list[tuple[int, int]]:
    """Depth and width of each stage of `RegNetY`.

    Example:
        >>> stages_of(17, 192, 76.82, 2.19, 56)  # RegNetY-8GF
        [(2, 168), (4, 448), (10, 896), (1, 2016)]
    """
    widths = []
    for j in range(depth):
        power = round(math.log1p(slope * j / initial) / math.log(growth))
        widths.append(round(initial * growth**power / _MULTIPLE) * _MULTIPLE)
    groups = {width: min(group, width) for width in widths}
    return [(len(list(b)), round(w / groups[w]) * groups[w]) for w, b in groupby(widths)]


class RegNetY(nn.Module):
    """RegNetY without its classifier: (n, channels, h, w) -> (n, dim).

    Five numbers generate its stages: u_j = w0 + wa j for block j < depth is moved to the nearest
    w0 wm^k (in k), then to a multiple of 8; blocks of one width make a stage; widths are at last
    rounded to multiples of the group. A block is 1 × 1, grouped 3 × 3, squeeze-and-excitation by a
    quarter of its input's channels, and 1 × 1, beside a shortcut.

    | network | depth | w0 | wa | wm | group |
    |---|---|---|---|---|---|
    | 400MF | 16 | 48 | 27.89 | 2.09 | 8 |
    | 8GF | 17 | 192 | 76.82 | 2.19 | 56 |
    | 16GF | 18 | 200 | 106.23 | 2.48 | 112 |
    | 32GF | 20 | 232 | 115.89 | 2.53 | 232 |
    | 64GF | 20 | 352 | 147.48 | 2.4 | 328 |
    | 128GF | 27 | 456 | 160.83 | 2.52 | 264 |
    | 256GF | 27 | 640 | 230.83 | 2.53 | 373 |

    Args:
        depth: number of blocks.
        initial, slope, growth: w0, wa, wm.
        group: channels of each group of the 3 × 3 convolutions.
        channels: of the images.

    Attributes:
        dim: length of the code.

    Raises:
        ShapeError: images are not (n, channels, h, w).

    Example:
        >>> network = RegNetY(16, 48, 27.89, 2.09, 8)
        >>> network.dim, network(torch.zeros(2, 3, 64, 64)).shape
        (440, torch.Size([2, 440]))

    Source: Radosavovic et al. 2020, arXiv:2003.13678; Goyal et al. 2021, arXiv:2103.01988.
    """

    def __init__(
        self, depth: int, initial: int, slope: float, growth: float, group: int, channels: int = 3
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem = _layer(channels, _STEM, 3, 2)
        stages: list[nn.Module] = []
        inputs = _STEM
        for count, width in stages_of(depth, initial, slope, growth, group):
            wide = min(group, width)
            blocks = (_Block(width, width, wide, 1) for _ in range(count - 1))
            stages.append(nn.Sequential(_Block(inputs, width, wide, 2), *blocks))
            inputs = width
        self.stages = nn.Sequential(*stages)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.dim = inputs
        _start(self)

    def forward(self, images: Tensor) -> Tensor:
        """Codes (n, dim)."""
        require_channels(type(self).__name__, images, self.channels)
        return self.pool(self.stages(self.stem(images)))


class _Block(nn.Module):
    """ReLU(branch(h) + shortcut(h))."""

    def __init__(self, inputs: int, width: int, group: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _layer(inputs, width, 1),
            _layer(width, width, 3, stride, width // group),
            _Excitation(width, round(_SQUEEZE * inputs)),
            _layer(width, width, 1)[:2],
        )
        same = inputs == width and stride == 1
        self.shortcut = nn.Identity() if same else _layer(inputs, width, 1, stride)[:2]

    def forward(self, h: Tensor) -> Tensor:
        return (self.branch(h) + self.shortcut(h)).relu()


class _Excitation(nn.Module):
    """h times a weight in [0, 1] for each channel, from the channels' means."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.weight = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, h: Tensor) -> Tensor:
        return h * self.weight(h)


def _layer(inputs: int, width: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    padding = size // 2
    convolution = nn.Conv2d(inputs, width, size, stride, padding, groups=groups, bias=False)
    return nn.Sequential(convolution, BatchNorm(width), nn.ReLU())


@torch.no_grad()
def _start(network: nn.Module) -> None:
    """Normal weights of variance 2 / fan out, the fan over all groups."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            fan = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan))
