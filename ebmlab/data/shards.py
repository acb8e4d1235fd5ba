"""Images in tar files, which are read from beginning to end."""

import io
import tarfile
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ebmlab import _ranks
from ebmlab._checks import require_counts
from ebmlab._randomness import stream
from ebmlab.data._folders.decoding import decoded, opened
from ebmlab.data._folders.extra import loaded
from ebmlab.data._folders.reading import in_threads, reasons
from ebmlab.errors import ConfigurationError, DataError

__all__ = ["Shards", "shards"]

_ENDINGS = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif")

Sample = Mapping[str, Any]
_T = TypeVar("_T")
Shown = tuple[np.ndarray, int | None]
Batch = tuple[Tensor | None, Tensor]


class Shards:
    """Batches of the images in tar files: `shards` makes them, and says how they come."""

    def __init__(
        self, urls: list[str], event: tuple[int, int, int], batch_size: int, memory: int, seed: int
    ) -> None:
        self.urls, self.event, self.batch_size = urls, event, batch_size
        self.memory, self.seed, self.epoch = memory, seed, -1

    def __iter__(self) -> Iterator[Batch]:
        """One visit of each image, by all ranks together."""
        self.epoch += 1
        ranks, broken = _ranks.rank_count(), {}
        if ranks > len(self.urls):
            raise ConfigurationError(
                f"{ranks} ranks share {len(self.urls)} tar files; each needs one at least"
            )
        # In which order the files come is one decision of all; what is drawn of them is not.
        order = torch.randperm(len(self.urls), generator=stream(self.seed, self.epoch, rank=0))
        own = [self.urls[i] for i in order[_ranks.rank_number() :: ranks].tolist()]
        samples = _mixed(_read(own), self.memory, stream(self.seed, self.epoch, 1))
        for part in _grouped(self._shown(samples, broken), self.batch_size):
            if len(part) == self.batch_size or ranks == 1:
                yield _batch(part)
        if broken:
            said = f"{len(broken)} images in tar files cannot be read and are left out"
            warnings.warn(f"{said}: {reasons(broken)}", stacklevel=2)

    def _shown(self, samples: Iterator[Sample], broken: dict[str, str]) -> Iterator[Shown]:
        """Pixels and labels of what can be read; the rest is noted."""
        for part in _grouped(samples, self.batch_size):
            found = in_threads(partial(self._one, part), range(len(part)))
            for sample, it in zip(part, found, strict=True):
                if isinstance(it, str):
                    broken[sample["__key__"]] = it
                else:
                    yield it

    def _one(self, samples: list[Sample], row: int) -> Shown:
        sample, (channels, size, _) = samples[row], self.event
        label = int(sample["cls"]) if "cls" in sample else None
        with opened(io.BytesIO(_image(sample))) as image:
            return decoded(image, size, channels), label


def _batch(shown: list[Shown]) -> Batch:
    images = torch.from_numpy(np.stack([image for image, _ in shown])).float() / 255
    labels = [label for _, label in shown if label is not None]
    return (images, torch.tensor(labels)) if len(labels) == len(shown) else (None, images)


def shards(
    pattern: str | list[str],
    *,
    size: int = 64,
    channels: int = 3,
    batch_size: int = 128,
    memory: int = 1000,
    seed: int = 0,
) -> Shards:
    """Batches of the images in tar files, as `fit` and loops take them.

    Batches are (images, labels), or (None, images) where a file `cls` beside each image is not
    there; images are (b, c, h, w) in [0, 1], made of one size as in `folder`, by threads. Each
    epoch takes the tar files in an order of its own, shares them out among ranks, and mixes what
    they hold in a memory, each rank by a stream of its own. What cannot be read is left out, and
    named in one warning an epoch. Needs `pip install ebmlab[data]`.

    Args:
        pattern: tar files, such as "photos-{000..127}.tar", or a list of them.
        size: height and width of the images.
        channels: 1 (gray) or 3.
        batch_size: images in a batch of one rank; the last ones of an epoch are fewer, or left
            out where there are several ranks.
        memory: images among which the next is drawn; 1 keeps the order of the files.
        seed: of the order.

    Raises:
        ConfigurationError: webdataset is not installed, or a number is not positive.
        DataError: a tar file is missing or damaged (as batches are asked for).

    Source: Aizman, Maltby, Breuel 2019, arXiv:2001.01858.
    """
    require_counts(size=size, channels=channels, batch_size=batch_size, memory=memory)
    expand = loaded("webdataset", "data").shardlists.expand_urls
    urls = [
        url
        for each in ([pattern] if isinstance(pattern, str) else pattern)
        for url in expand(each)
    ]
    return Shards(urls, (channels, size, size), batch_size, memory, seed)


def _read(urls: list[str]) -> Iterator[Sample]:
    """The samples of the files one after another; which rank has which is settled before."""
    if not urls:
        return
    web = loaded("webdataset", "data").WebDataset
    try:
        yield from web(urls, shardshuffle=False, nodesplitter=None, workersplitter=None)
    except (OSError, ValueError, tarfile.TarError) as error:
        raise DataError(f"tar files cannot be read: {error}") from error


def _mixed(samples: Iterator[Sample], memory: int, rng: torch.Generator) -> Iterator[Sample]:
    """The same in another order: each is drawn from those that are in memory."""
    kept: list[Sample] = []
    for sample in samples:
        kept.append(sample)
        if len(kept) >= memory:
            yield _drawn(kept, rng)
    while kept:
        yield _drawn(kept, rng)


def _drawn(kept: list[Sample], rng: torch.Generator) -> Sample:
    i = int(torch.randint(len(kept), (), generator=rng))
    kept[i], kept[-1] = kept[-1], kept[i]
    return kept.pop()


def _grouped(them: Iterator[_T], n: int) -> Iterator[list[_T]]:
    while part := list(islice(them, n)):
        yield part


def _image(sample: Sample) -> bytes:
    for ending in _ENDINGS:
        if ending in sample:
            return sample[ending]
    raise ValueError(f"no image among {', '.join(key for key in sample if key[0] != '_')}")
