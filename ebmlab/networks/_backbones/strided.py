"""A small convolutional encoder and decoder of images of one size, without normalization."""

from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError
from ebmlab.networks._backbones.images import require_channels

__all__ = ["StridedDecoder", "StridedEncoder"]

Shape = tuple[int, int, int]


class StridedEncoder(nn.Sequential):
    """Two convolutions of stride 2, then linear: images (n, *shape) -> (n, outputs).

    Args:
        shape: of an image, (channels, height, width), sizes that 4 divides.
        outputs: length of the code.
        width: channels of the first convolution; the second has twice as many.

    Raises:
        ConfigurationError: 4 does not divide height and width.

    Example:
        >>> import torch
        >>> StridedEncoder((1, 28, 28), 96)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 96])
    """

    def __init__(self, shape: Shape, outputs: int, width: int = 16) -> None:
        h, w = _quarter(shape)
        require_counts(outputs=outputs, width=width)
        super().__init__(
            nn.Conv2d(shape[0], width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(2 * width * h * w, outputs),
        )
        self.channels = shape[0]

    def forward(self, input: Tensor) -> Tensor:
        """The codes (n, outputs) of images."""
        require_channels("StridedEncoder", input, self.channels)
        return super().forward(input)


class StridedDecoder(nn.Sequential):
    """The mirror image of a `StridedEncoder`: codes (n, dim) -> images (n, *shape) in [0, 1].

    Args:
        dim: length of the code.
        shape, width: as in `StridedEncoder`.

    Raises:
        ConfigurationError: 4 does not divide height and width.

    Example:
        >>> import torch
        >>> StridedDecoder(48, (1, 28, 28))(torch.zeros(2, 48)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(self, dim: int, shape: Shape, width: int = 16) -> None:
        h, w = _quarter(shape)
        require_counts(dim=dim, width=width)
        super().__init__(
            nn.Linear(dim, 2 * width * h * w),
            nn.SiLU(),
            nn.Unflatten(1, (2 * width, h, w)),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.ConvTranspose2d(width, shape[0], 4, stride=2, padding=1),
            nn.Sigmoid(),
        )


def _quarter(shape: Shape) -> tuple[int, int]:
    channels, height, width = shape
    require_counts(channels=channels, height=height, width=width)
    if height % 4 or width % 4:
        raise ConfigurationError(
            f"images are {height} × {width}; strides of 2, twice, need sizes that 4 divides: pad "
            "or crop them"
        )
    return height // 4, width // 4
