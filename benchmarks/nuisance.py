"""Fashion-MNIST under nuisance: what an encoder is trained on, and what it is judged by.

The nuisance is that of the views: a crop of at least half the area, resized; a flip; brightness;
noise. Images are judged under one draw of it, the same for all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab.data import fashion_mnist
from ebmlab.data.views import recipes
from ebmlab.metrics import effective_rank, knn_accuracy

__all__ = ["Feed", "Judge", "Judgement", "Labeled", "Pool", "encoded", "pool", "views"]

BANK, QUERIES, NEIGHBORS = 10_000, 5_000, 20
DRAW = 2026


class Labeled(NamedTuple):
    """Images (n, c, h, w) and their classes (n,)."""

    images: Tensor
    labels: Tensor


class Pool(NamedTuple):
    """Images to train on, without labels, and those that judge: a bank and queries.

    Settings were chosen by the queries; `unseen` had no part in that.
    """

    images: Tensor
    bank: Labeled
    queries: Labeled
    unseen: Labeled


class Judgement(NamedTuple):
    """kNN accuracy of both sets; effective rank of the queries' codes, and what share varies."""

    knn: float
    unseen: float
    rank: float
    spread: float


def views(size: int) -> recipes.Pair:
    """Two draws of the nuisance."""
    return recipes.grey_images(size)


def pool() -> Pool:
    """All 60,000 training images, 10,000 of which are the bank, and twice 5,000 test images."""
    train, test = Labeled(*fashion_mnist("train")), Labeled(*fashion_mnist("test"))
    halves = (_part(test, start, QUERIES) for start in (0, QUERIES))
    return judged(train.images, _part(train, 0, BANK), *halves)


def judged(images: Tensor, *parts: Labeled) -> Pool:
    """A pool whose bank, queries and unseen queries are seen under one draw of the nuisance."""
    nuisance, rng = views(images.shape[-1]).first, torch.Generator().manual_seed(DRAW)
    return Pool(images, *[part._replace(images=nuisance(part.images, rng)) for part in parts])


def _part(data: Labeled, start: int, count: int) -> Labeled:
    return Labeled(data.images[start : start + count], data.labels[start : start + count])


@dataclass(frozen=True)
class Judge:
    """How well codes of the bank tell the classes of the queries."""

    pool: Pool
    k: int = NEIGHBORS

    def codes(self, bank: Tensor, queries: Tensor, unseen: Tensor) -> Judgement:
        """Of codes (n, dim) that are at hand."""
        knn, other = (
            knn_accuracy(bank, self.pool.bank.labels, codes, part.labels, self.k)
            for codes, part in ((queries, self.pool.queries), (unseen, self.pool.unseen))
        )
        share = queries.var(0).mean() / queries.square().mean().clamp(min=1e-30)
        return Judgement(knn, other, effective_rank(queries), float(share.clamp(max=1).sqrt()))

    def encoder(self, encoder: nn.Module) -> Judgement:
        """Of an encoder's output, in `eval` mode."""
        bank, queries, unseen = (encoded(encoder, part.images) for part in self.pool[1:])
        return self.codes(bank, queries, unseen)

    def pixels(self, *, centered: bool) -> Judgement:
        """Of the pixels as they are, or less the bank's mean."""
        bank, queries, unseen = (part.images.flatten(1) for part in self.pool[1:])
        mean = bank.mean(0) if centered else torch.zeros_like(bank[0])
        return self.codes(bank - mean, queries - mean, unseen - mean)


@torch.no_grad()
def encoded(encoder: nn.Module, images: Tensor) -> Tensor:
    """Codes (n, dim) in `eval` mode."""
    mode = encoder.training
    encoder.eval()
    codes = torch.cat([encoder(part) for part in images.split(1000)])
    encoder.train(mode)
    return codes


@dataclass(frozen=True)
class Feed:
    """Pairs of views of images in random order, an epoch at a time, without end.

    Args:
        images: (n, c, h, w).
        batch: pairs in a batch.
        rng: of order and views.
    """

    images: Tensor
    batch: int
    rng: torch.Generator

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        pair, n = views(self.images.shape[-1]), len(self.images)
        while True:
            order = torch.randperm(n, generator=self.rng)
            for index in order[: n - n % self.batch].split(self.batch):
                yield pair(self.images[index], self.rng)
