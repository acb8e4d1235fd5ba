"""Many pictures at a time, and what becomes of those that cannot be read."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ebmlab.data._folders.decoding import decoded
from ebmlab.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Pictures", "Streamed", "in_threads", "named", "pixels", "reasons"]

NAMED = 5
_T = TypeVar("_T")

# Opens the picture of a row.
Pictures = Callable[[int], "Image"]


def in_threads(work: Callable[[int], _T], rows: Sequence[int]) -> list[_T | str]:
    """What `work` gives for each row, or in one line what kept it from that.

    A picture can be damaged in ways for which every decoder has errors of its own. Pillow decodes
    outside of the interpreter's lock, so that threads share the work.
    """
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        return list(pool.map(partial(_tried, work), rows))


def _tried(work: Callable[[int], _T], row: int) -> _T | str:
    from PIL import UnidentifiedImageError

    try:
        return work(row)
    except UnidentifiedImageError:
        return "no known format"
    except Exception as error:
        return " ".join(str(error).split()) or type(error).__name__


def pixels(pictures: Pictures, event: tuple[int, int, int]) -> Callable[[int], np.ndarray]:
    """A function row -> pixels (c, h, w)."""

    def one(row: int) -> np.ndarray:
        with pictures(row) as image:
            return decoded(image, event[1], event[0])

    return one


def named(broken: Mapping[str, str], of: int, where: str) -> str:
    """How many pictures cannot be read, and which.

    Example:
        >>> named({"a.jpg": "image file is truncated"}, 10, "photos")
        'photos: 1 of 10 images cannot be read: a.jpg (image file is truncated)'
    """
    return f"{where}: {len(broken):,} of {of:,} images cannot be read: {reasons(broken)}"


def reasons(broken: Mapping[str, str]) -> str:
    """The first of those that cannot be read, and why."""
    each = [f"{name} ({why})" for name, why in list(broken.items())[:NAMED]]
    more = [f"and {len(broken) - NAMED} more"] if len(broken) > NAMED else []
    return "; ".join([*each, *more])


class Streamed:
    """Reads pictures anew each time they are asked for.

    In place of one that cannot be read stands the next that can; each is told of once.

    Args:
        pictures: opens the picture of a row.
        name: of a row's picture.
        n: how many there are.
        event: (channels, size, size).
        where: what they are part of.
    """

    def __init__(
        self,
        pictures: Pictures,
        name: Callable[[int], str],
        n: int,
        event: tuple[int, int, int],
        where: str,
    ) -> None:
        self._one = pixels(pictures, event)
        self._name, self._n, self._event, self._where = name, n, event, where
        self._broken: dict[int, str] = {}

    def __call__(self, rows: Tensor) -> Tensor:
        """Pixels (k, c, h, w) of rows (k,)."""
        asked = rows.tolist()
        found: list[Any] = in_threads(self._one, asked)
        fresh = {row: it for row, it in zip(asked, found, strict=True) if isinstance(it, str)}
        news = {row: why for row, why in fresh.items() if row not in self._broken}
        self._broken |= fresh
        if news:
            told = {self._name(row): why for row, why in news.items()}
            said = named(told, self._n, self._where)
            warnings.warn(f"{said}; the next readable ones stand in their place", stacklevel=4)
        for i, row in enumerate(asked):
            if isinstance(found[i], str):
                found[i] = self._next(row)
        return torch.from_numpy(np.stack(found)) if found else torch.empty(0, *self._event)

    def _next(self, row: int) -> np.ndarray:
        for step in range(1, self._n):
            other = (row + step) % self._n
            (found,) = in_threads(self._one, [other])
            if not isinstance(found, str):
                return found
        raise DataError(f"{self._where}: not one of {self._n} images can be read")
