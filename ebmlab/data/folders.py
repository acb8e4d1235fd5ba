"""A folder of images of your own."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from ebmlab._checks import require_counts
from ebmlab.data._folders.decoding import opened
from ebmlab.data._folders.keeping import Survey, fits, mapped, surveyed
from ebmlab.data._folders.listing import Listing, listed
from ebmlab.data._folders.reading import Streamed, named
from ebmlab.data.galleries import Gallery
from ebmlab.data.lazy_images import LazyImages
from ebmlab.errors import ConfigurationError

__all__ = ["folder", "usual_size"]

# Bytes of pixels that are kept at most.
CACHE = 2**33
LARGEST, LEAST, STEP = 64, 8, 4


def folder(
    path: str | Path, *, size: int | None = None, channels: int | None = None, cache: int = CACHE
) -> Gallery:
    """All images below a folder, made square and of one size.

    Subfolders are classes, where there are at least two and every image lies in one. Images are
    turned upright as their EXIF says, laid on white where they are transparent, cut from sixteen
    bits to eight, shrunk until the shorter side has `size` pixels, and cut to the middle square.

    Their pixels are kept in the folder that EBMLAB_CACHE names (by default ~/.cache/ebmlab), in a
    file of which memory holds what is in use. It is known by the images' names, sizes and times,
    checked by SHA-256 each time it is opened, and made again where either has changed. Where it
    would be too large, images are read anew each time. What cannot be read is left out, and named
    in one warning.

    Args:
        path: the folder.
        size: height and width; None is 64, or less where half of the images are smaller.
        channels: 1 (gray) or 3; None is 1 where all images are gray.
        cache: bytes that may be kept; 0 keeps nothing.

    Raises:
        ConfigurationError: size or channels are no such numbers.
        DataError: there is no such folder, no image in it, none that can be read, or the cache
            cannot be written.

    Example:
        >>> folder("nowhere")
        Traceback (most recent call last):
        ebmlab.errors.DataError: nowhere is no folder
    """
    listing = listed(Path(path))
    survey = surveyed(listing)
    event = _event(survey, size, channels)
    if fits(listing, event, cache):
        read, rows, broken = mapped(listing, event)
        places, how = torch.arange(len(rows)), "kept in the cache"
    else:
        rows = [i for i, entry in enumerate(listing.entries) if entry.name not in survey.broken]
        read, places, broken = _streamed(listing, event), torch.tensor(rows), survey.broken
        how = "read anew each time"
    if broken:
        said = named(broken, len(listing.entries), str(path))
        warnings.warn(f"{said}; they are left out", stacklevel=2)
    labels = listing.labels(rows)
    return Gallery(
        LazyImages(read, places, event),
        None if labels is None else torch.tensor(labels),
        listing.classes,
        f"{len(rows):,} images {_classes(listing.classes)}, {_shape(event)}, {how}",
    )


def usual_size(path: str | Path) -> int:
    """Height and width that `folder` gives the images there if none are asked for."""
    return _usual(surveyed(listed(Path(path))))


def _usual(survey: Survey) -> int:
    # Patches of 4 shall fit.
    return max(LEAST, min(LARGEST, survey.side // STEP * STEP))


def _event(survey: Survey, size: int | None, channels: int | None) -> tuple[int, int, int]:
    size = _usual(survey) if size is None else size
    channels = survey.channels if channels is None else channels
    require_counts(size=size)
    if channels not in (1, 3):
        raise ConfigurationError(f"channels is {channels}; images have 1 (gray) or 3")
    return channels, size, size


def _streamed(listing: Listing, event: tuple[int, int, int]) -> Streamed:
    return Streamed(
        lambda row: opened(listing.path(row)),
        lambda row: listing.entries[row].name,
        len(listing.entries),
        event,
        str(listing.root),
    )


def _classes(classes: Sequence[str]) -> str:
    return f"of {len(classes)} classes" if classes else "without classes"


def _shape(event: tuple[int, int, int]) -> str:
    return f"{event[1]} × {event[2]}, {'gray' if event[0] == 1 else 'in color'}"
