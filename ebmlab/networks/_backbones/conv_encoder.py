"""A small convolutional encoder with batch normalization."""

from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.networks._backbones.images import require_channels
from ebmlab.networks.batch_norm import BatchNorm

__all__ = ["ConvEncoder"]


class ConvEncoder(nn.Module):
    """Three stages and a mean over the image: (n, channels, h, w) -> (n, 4 width).

    Each stage is a 3 × 3 convolution, batch normalization and ReLU; the first two halve the size.
    Made for images of about 28 × 28, fast on CPU; 92,896 parameters by default.

    Args:
        channels: of the images.
        width: channels of the first stage; the others have 2 and 4 times as many.

    Attributes:
        dim: length of the code, 4 width.

    Raises:
        ShapeError: images are not (n, channels, h, w).

    Example:
        >>> import torch
        >>> ConvEncoder()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 128])
    """

    def __init__(self, channels: int = 1, width: int = 32) -> None:
        super().__init__()
        require_counts(channels=channels, width=width)
        self.channels, self.dim = channels, 4 * width
        layers: list[nn.Module] = []
        inputs = channels
        for outputs, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
            convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            layers += [convolution, BatchNorm(outputs), nn.ReLU()]
            inputs = outputs
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        """Codes (n, dim)."""
        require_channels(type(self).__name__, images, self.channels)
        return self.layers(images)
