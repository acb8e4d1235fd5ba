"""What backbones require of their images."""

from torch import Tensor

from ebmlab._kinds import require_floats
from ebmlab.errors import ShapeError

__all__ = ["require_channels"]


def require_channels(who: str, images: Tensor, channels: int) -> None:
    """Raise unless images are (n, channels, h, w), of floating point."""
    if images.ndim != 4 or images.shape[1] != channels:
        last = images.ndim == 4 and images.shape[3] == channels
        raise ShapeError(
            f"{who} received shape {tuple(images.shape)}; expected (n, {channels}, height, width)"
            + ": channels come first, .movedim(-1, 1)" * last
        )
    require_floats("images", images)
