"""Augmentation of batches of images beside kornia: the whole chain, and each of its links.

    python benchmarks/run.py --topic views

The chain is that of SimCLR: crop and resize, flip, color jitter with hue, grey, blur, each sample
with draws of its own. Both sides blur with the same kernel size and range of widths and crop with
the same shares and ratios; ours also antialiases where it shrinks. kornia leaves the samples that
a probability spares out of the work, and jitters in one random order for the whole batch.
"""

from collections.abc import Callable
from typing import Any

import torch
from measure import Row, compared, installed, race
from torch import Tensor, nn

from ebmlab.data.views import Blur, ColorJitter, Compose, Crop, Flip, Grey, View

SCALE, BLUR = (0.2, 1.0), (0.1, 2.0)
COLORS = (0.4, 0.4, 0.4, 0.1)


def rows(device: str, quick: bool) -> list[Row]:
    """Batches of 256 color images, 32 × 32 and 96 × 96."""
    n, turns = (32, 3) if quick else (256, 7)
    found: list[Row] = []
    for side, kernel in ((32, 3), (96, 9)):
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(n, 3, side, side, generator=generator).to(device)
        rng = torch.Generator(device).manual_seed(1)
        mine, theirs = _ours(side, kernel), _kornia(side, kernel) if installed("kornia") else {}
        for name, view in mine.items():
            contenders = {"ebmlab": _call(view, images, rng)}
            if name in theirs:
                contenders["kornia"] = _apart(theirs[name], images)
            times = race(contenders, device, turns)
            found += compared("views", f"{name}, {n} × 3 × {side} × {side}", "ebmlab", times)
    return found


def _ours(side: int, kernel: int) -> dict[str, View]:
    links: dict[str, View] = {
        "crop": Crop(side, SCALE),
        "flip": Flip(),
        "color jitter": ColorJitter(*COLORS, probability=0.8),
        "grey": Grey(0.2),
        "blur": Blur(kernel, BLUR, 0.5),
    }
    return {"whole chain": Compose(tuple(links.values())), **links}


def _kornia(side: int, kernel: int) -> dict[str, nn.Module]:
    from kornia import augmentation

    links: dict[str, nn.Module] = {
        "crop": augmentation.RandomResizedCrop((side, side), scale=SCALE),
        "flip": augmentation.RandomHorizontalFlip(p=0.5),
        "color jitter": augmentation.ColorJitter(*COLORS, p=0.8),
        "grey": augmentation.RandomGrayscale(p=0.2),
        "blur": augmentation.RandomGaussianBlur((kernel, kernel), BLUR, p=0.5),
    }
    return {"whole chain": nn.Sequential(*links.values()), **links}


def _call(view: View, images: Tensor, rng: torch.Generator) -> Callable[[], Any]:
    return lambda: view(images, rng)


def _apart(chain: nn.Module, images: Tensor) -> Callable[[], Any]:
    def call() -> Tensor:
        with torch.no_grad():
            return chain(images)

    return call
