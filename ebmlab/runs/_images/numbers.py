"""What a run's codes are worth, on held-out images."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from ebmlab import metrics
from ebmlab.data.lazy_images import Indexed
from ebmlab.errors import ConfigurationError
from ebmlab.runs._images.feeds import two_views
from ebmlab.runs._images.image_sets import ImageSet, image_set
from ebmlab.runs._images.run import ImageRun
from ebmlab.runs.kind import Findings

__all__ = ["advice", "codes_of", "image_findings", "shown_images"]

NEIGHBORS, BLOCK, SMALL = 20, 256, 32


def image_findings(built: ImageRun, data: str | None, limit: int | None) -> Findings:
    """Codes measured by neighbors, a probe, ranks and spread; energies where they say something.

    Raises:
        ConfigurationError: the images are not of the run's shape.
        DataError: the images are missing.
    """
    images = shown_images(built, data, limit)
    train, test = (codes_of(built, part) for part in (images.images, images.test_images))
    std = metrics.dimension_std(test)
    accuracies, said = _accuracies(built, images, train, test)
    numbers = {
        **accuracies,
        "effective rank": metrics.effective_rank(test),
        "rankme": metrics.rankme(test),
        "dimensions": float(test.shape[1]),
        "dimensions' std, mean": std.mean().item(),
        "dimensions' std, least": std.min().item(),
        "dimensions' std, largest": std.max().item(),
        "alignment of two views": _alignment(built, images.test_images),
        "uniformity": metrics.uniformity(test),
        **_score(built, images),
    }
    return Findings(len(train), len(test), numbers, {"dimension_std": std.tolist()}, said)


def _accuracies(
    built: ImageRun, images: ImageSet, train: Tensor, test: Tensor
) -> tuple[dict[str, float], str | None]:
    """How well neighbors and a probe tell the classes, and advice; nothing of unknown classes."""
    if images.labels is None or images.test_labels is None:
        return {}, None
    labels, k = (images.labels, images.test_labels), min(NEIGHBORS, len(train))
    pixels = _knn(small(images.images), small(images.test_images), labels, k)
    codes = _knn(train, test, labels, k)
    numbers = {
        f"kNN accuracy of codes (k = {k})": codes,
        f"kNN accuracy of pixels (k = {k})": pixels,
        "linear probe's accuracy": metrics.linear_probe(train, labels[0], test, labels[1]),
    }
    return numbers, advice(codes, pixels, built.config.epochs)


def advice(codes: float, pixels: float, epochs: int) -> str | None:
    """What to try after so many epochs where kNN does better on pixels than on codes.

    Example:
        >>> advice(0.98, 0.975, epochs=20)
        >>> print(advice(0.953, 0.975, epochs=5))
        kNN does better on pixels (0.975) than on these codes (0.953): train for more than 5 epochs
        (--resume --epochs …), with another encoder, or by another method
    """
    if codes >= pixels:
        return None
    return (
        f"kNN does better on pixels ({pixels:.3f}) than on these codes ({codes:.3f}): train for "
        f"more than {epochs} epochs (--resume --epochs …), with another encoder, or by another "
        "method"
    )


def shown_images(built: ImageRun, data: str | None, limit: int | None) -> ImageSet:
    """The images to look at, on the run's device; raise where their shape is not the run's."""
    channels, size, _ = built.setting.shape
    images = built.images if data is None else image_set(data, size, channels)
    shape, seen = tuple(images.images.shape[1:]), tuple(built.setting.shape)
    if shape != seen:
        raise ConfigurationError(f"data {data} has images {shape}, but the run saw {seen}")
    return images.limited(limit).to(built.setting.images.device)


def blocks(images: Indexed) -> Iterator[Tensor]:
    """The images, so many at a time."""
    return (images[start : start + BLOCK] for start in range(0, len(images), BLOCK))


def small(images: Indexed) -> Tensor:
    """Pixels (n, d) side by side; images that are larger than 32 × 32 are averaged to that."""
    shrink = nn.AdaptiveAvgPool2d(SMALL) if min(images.shape[-2:]) > SMALL else nn.Identity()
    return torch.cat([shrink(part).flatten(1) for part in blocks(images)])


@torch.no_grad()
def codes_of(built: ImageRun, images: Indexed) -> Tensor:
    """The codes (n, d) of images by the trained method, block by block."""
    shown = map(built.preset.feed.shown, blocks(images))
    return torch.cat([built.method.encode(part).flatten(1) for part in shown])


def _knn(train: Tensor, test: Tensor, labels: tuple[Tensor, Tensor], k: int) -> float:
    return metrics.knn_accuracy(train, labels[0], test, labels[1], k)


def _rng(built: ImageRun) -> torch.Generator:
    return torch.Generator(built.setting.images.device).manual_seed(0)


def _alignment(built: ImageRun, images: Indexed) -> float:
    rng, views = _rng(built), two_views(built.setting)
    pairs = [tuple(codes_of(built, view) for view in views(p, rng)) for p in blocks(images)]
    first, second = (torch.cat(codes) for codes in zip(*pairs, strict=True))
    return metrics.alignment(first, second)


@torch.no_grad()
def _score(built: ImageRun, images: ImageSet) -> dict[str, float]:
    """The mean energy of held-out images, where it means something by itself."""
    if built.preset.measure is None:
        return {}
    rng, energies = _rng(built), []
    shown = replace(built.setting, images=images.test_images, labels=images.test_labels)
    rows = torch.arange(len(shown.images), device=shown.images.device)
    for part in rows.split(BLOCK):
        x, y = built.preset.feed.draw(shown, part, rng)
        energies.append(built.method.energy(x, y, rng=rng))
    return {built.preset.measure: torch.cat(energies).double().mean().item()}
