"""From a picture of any mode and size to pixels of one."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["decoded", "is_gray", "opened"]

_GRAY = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"))
_DEEP = 65535


def opened(source: Any) -> "Image":
    """A picture of which the header alone has been read.

    Raises whatever the damage leads to.
    """
    from PIL import Image

    return Image.open(source)


def is_gray(image: "Image") -> bool:
    """Whether one channel holds all that there is to see."""
    return image.mode in _GRAY


def decoded(image: "Image", size: int, channels: int) -> np.ndarray:
    """Pixels (channels, size, size), uint8: upright, the middle square, white where transparent.

    Sixteen bits are cut to eight. What does not fit into 0 … 65535, or has no bounds at all, is
    refused: no one scale would suit every such picture. Of a film the first picture is taken.

    Raises:
        ValueError: numbers have no known bounds. Else whatever the damage leads to.
    """
    from PIL import Image, ImageOps

    if image.mode in ("L", "RGB"):
        # JPEG can be read at a half, a quarter or an eighth of its size, which is faster by far.
        image.draft(image.mode, (2 * size, 2 * size))
    shown = _opaque(_eight_bits(ImageOps.exif_transpose(image)))
    shown = shown.convert("L" if channels == 1 else "RGB")
    fitted = ImageOps.fit(shown, (size, size), Image.Resampling.BILINEAR)
    return np.asarray(fitted, np.uint8).reshape(size, size, channels).transpose(2, 0, 1)


def _eight_bits(image: "Image") -> "Image":
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its numbers are floats without bounds")
    if not image.mode.startswith("I"):
        return image
    deep = np.asarray(image).astype(np.int64)
    if deep.min() < 0 or deep.max() > _DEEP:
        raise ValueError(f"its numbers are {deep.min()} … {deep.max()}, not 0 … {_DEEP}")
    return Image.fromarray((deep // 257).astype(np.uint8))


def _opaque(image: "Image") -> "Image":
    from PIL import Image

    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(ground, layered)
