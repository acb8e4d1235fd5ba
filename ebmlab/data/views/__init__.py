"""Views: batched random transformations on the tensor's device, each sample with its own draws."""

from ebmlab.data.views.blocks import Blocks
from ebmlab.data.views.blur import Blur
from ebmlab.data.views.colors import Brightness, Grey, Solarize
from ebmlab.data.views.crop import Crop
from ebmlab.data.views.empty import Flat, Static
from ebmlab.data.views.flips import Flip, QuarterTurn
from ebmlab.data.views.hsv import hsv_to_rgb, rgb_to_hsv
from ebmlab.data.views.jitter import ColorJitter
from ebmlab.data.views.masked import Masked
from ebmlab.data.views.multi_crop import MultiCrop, Pair
from ebmlab.data.views.noise import Noise
from ebmlab.data.views.points import PointNoise, PointRotation
from ebmlab.data.views.recipes import byol, dino, grey_images, simclr, swav
from ebmlab.data.views.rotate import Rotate
from ebmlab.data.views.view import Augmentation, Compose, View

__all__ = [
    "Augmentation",
    "Blocks",
    "Blur",
    "Brightness",
    "ColorJitter",
    "Compose",
    "Crop",
    "Flat",
    "Flip",
    "Grey",
    "Masked",
    "MultiCrop",
    "Noise",
    "Pair",
    "PointNoise",
    "PointRotation",
    "QuarterTurn",
    "Rotate",
    "Solarize",
    "Static",
    "View",
    "byol",
    "dino",
    "grey_images",
    "hsv_to_rgb",
    "rgb_to_hsv",
    "simclr",
    "swav",
]
