"""The views of the papers: each recipe maps (images, rng) to a tuple of views of a `size`."""

from ebmlab._checks import require_counts
from ebmlab.data.views.blur import Blur
from ebmlab.data.views.colors import Brightness, Grey, Solarize
from ebmlab.data.views.crop import Crop
from ebmlab.data.views.flips import Flip
from ebmlab.data.views.jitter import ColorJitter
from ebmlab.data.views.multi_crop import MultiCrop, Pair
from ebmlab.data.views.noise import Noise
from ebmlab.data.views.view import Compose, View

__all__ = ["byol", "dino", "grey_images", "simclr", "swav"]


def simclr(size: int, *, strength: float = 1.0, blur: float = 0.5) -> Pair:
    """SimCLR's two views: crop, flip, strong colors, grey, blur.

    Args:
        size: of the views, in pixels.
        strength: of the colors; 0.5 for images as small as CIFAR-10's.
        blur: its probability; 0 for small images.

    Example:
        >>> len(simclr(32, strength=0.5, blur=0.0).first.views)
        4

    Source: Chen, Kornblith, Norouzi, Hinton 2020, arXiv:2002.05709.
    """
    return Pair(Compose((Crop(size), Flip(), *_strong(size, strength, blur))))


def byol(size: int) -> Pair:
    """BYOL's two views: the first always blurred, the second rarely, but sometimes solarized.

    Example:
        >>> byol(32).second.views[-1]
        Solarize(probability=0.2, threshold=0.5)

    Source: Grill et al. 2020, arXiv:2006.07733.
    """
    first = Compose((Crop(size), *_mild(size, 1.0)))
    return Pair(first, Compose((Crop(size), *_mild(size, 0.1), Solarize())))


def swav(size: int = 224, small: int = 96, count: int = 6) -> MultiCrop:
    """SwAV's multi-crop: two large views, and some small ones of at most 14 % of the area.

    Args:
        size: of the large views.
        small: size of the others.
        count: how many of them.

    Example:
        >>> len(swav(32, 12).small)
        6

    Source: Caron et al. 2020, arXiv:2006.09882.
    """
    require_counts(size=size, small=small, count=count)
    large = Compose((Crop(size, (0.14, 1.0)), Flip(), *_strong(size, 1.0, 0.5)))
    other = Compose((Crop(small, (0.05, 0.14)), Flip(), *_strong(small, 1.0, 0.5)))
    return MultiCrop((large,) * 2, (other,) * count)


def dino(size: int = 224, small: int = 96, count: int = 8) -> MultiCrop:
    """DINO's multi-crop: BYOL's two views as the large ones, and some small ones; see `swav`.

    Example:
        >>> len(dino(32, 12).large)
        2

    Source: Caron et al. 2021, arXiv:2104.14294.
    """
    require_counts(size=size, small=small, count=count)
    first = Compose((Crop(size, (0.4, 1.0)), *_mild(size, 1.0)))
    second = Compose((Crop(size, (0.4, 1.0)), *_mild(size, 0.1), Solarize()))
    other = Compose((Crop(small, (0.05, 0.4)), *_mild(small, 0.5)))
    return MultiCrop((first, second), (other,) * count)


def grey_images(size: int, *, flip: bool = True) -> Pair:
    """Two views of small grey images: crops of at least half, flip, brightness, noise.

    Args:
        size: of the views, in pixels.
        flip: False for digits and letters, whose mirror images mean something else.

    Example:
        >>> len(grey_images(28, flip=False).first.views)
        3
    """
    flips = (Flip(),) if flip else ()
    return Pair(Compose((Crop(size, (0.5, 1.0)), *flips, Brightness(), Noise())))


def _strong(size: int, strength: float, blur: float) -> tuple[View, ...]:
    a = 0.8 * strength
    colors = ColorJitter(a, a, a, 0.2 * strength, probability=0.8), Grey()
    return (*colors, _blurred(size, blur)) if blur else colors


def _mild(size: int, blur: float) -> tuple[View, ...]:
    colors = ColorJitter(0.4, 0.4, 0.2, 0.1, probability=0.8)
    return Flip(), colors, Grey(), _blurred(size, blur)


def _blurred(size: int, probability: float) -> Blur:
    """By an odd kernel of about a tenth of the image."""
    return Blur(max(3, size // 10 | 1), probability=probability)
