"""What backbones require of their images."""

from torch import Tensor

from ebmlab.errors import ShapeError

__all__ = ["require_channels"]


def require_channels(who: str, images: Tensor, channels: int) -> None:
    """Raise unless images are (n, channels, h, w)."""
    if images.ndim != 4 or images.shape[1] != channels:
        raise ShapeError(
            f"{who} received shape {tuple(images.shape)}; expected (n, {channels}, h, w)"
        )
