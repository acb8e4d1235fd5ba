"""A small convolutional network for images of any size."""

from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.networks._backbones.images import require_channels

__all__ = ["ConvNet"]


class ConvNet(nn.Sequential):
    """Strided convolutions, a mean over the image, one linear layer: (n, c, h, w) -> (n, outputs).

    There is no batch normalization: it would make the energy of one image depend on the others.

    Args:
        channels: of the images.
        outputs: size of the code.
        width: channels of the first stage; they double where the size halves.
        stages: how many; images smaller than 2**stages shrink to a pixel.

    Raises:
        ShapeError, DtypeError: images have other channels, or are whole numbers.

    Example:
        >>> import torch
        >>> ConvNet(3, 16)(torch.zeros(2, 3, 32, 20)).shape
        torch.Size([2, 16])
    """

    def __init__(self, channels: int, outputs: int, width: int = 32, stages: int = 3) -> None:
        require_counts(channels=channels, outputs=outputs, width=width)
        require_counts(0, stages=stages)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.SiLU()]
        for stage in range(stages):
            here = width * 2**stage
            layers += [nn.Conv2d(here, 2 * here, 3, stride=2, padding=1), nn.SiLU()]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width * 2**stages, outputs)]
        super().__init__(*layers, *head)
        self.channels = channels

    def forward(self, input: Tensor) -> Tensor:
        """The codes (n, outputs) of images."""
        require_channels("ConvNet", input, self.channels)
        return super().forward(input)
