"""What a run on images records of held-out ones while it trains, where it is asked to."""

import torch
from torch import Tensor

from ebmlab.metrics import OnlineAccuracy, OnlineRanks, Watches
from ebmlab.runs._images.feeds import two_views
from ebmlab.runs._images.run import ImageRun

__all__ = ["image_watch"]

# Images to learn from, to judge, and to draw views of, at most.
TRAIN, TEST, VIEWED = 2000, 1000, 200
NEIGHBORS = 20


def image_watch(built: ImageRun, every: int) -> Watches:
    """Accuracies of neighbors and a probe where classes are known, RankMe and LiDAR.

    They come once in `every` recorded steps.
    """
    images, shown = built.images, built.preset.feed.shown
    train, test = _some(len(images.images), TRAIN), _some(len(images.test_images), TEST)
    judged = images.test_images[test]
    view = two_views(built.setting).first

    def views(rows: Tensor, rng: torch.Generator) -> Tensor:
        return shown(view(rows, rng))

    ranks = OnlineRanks(judged[:VIEWED], views, shown=shown, every=every)
    if images.labels is None or images.test_labels is None or len(images.labels.unique()) < 2:
        return Watches(ranks)
    accuracy = OnlineAccuracy(
        (shown(images.images[train]), images.labels[train]),
        (shown(judged), images.test_labels[test]),
        k=min(NEIGHBORS, len(train)),
        every=every,
    )
    return Watches(accuracy, ranks)


def _some(n: int, most: int) -> Tensor:
    """So many of n rows, by chance, as a folder has its classes one after another."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:most]
