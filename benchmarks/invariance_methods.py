"""The settings of every method: projectors of this size, temperatures, queues, step sizes.

Each recipe takes the encoder and the number of steps, by which teachers and clusters are timed.
Widths are those of the papers scaled to a code of 96 dimensions and 156,000 images.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from nuisance import Labeled
from torch import Tensor

from ebmlab import methods, teachers
from ebmlab.data.views import QuarterTurn
from ebmlab.networks import ConvEncoder, Expander
from ebmlab.protocols import Method
from ebmlab.types import Tree

__all__ = ["SETTINGS", "Pairs", "Setting", "encoder"]

WIDTH = 24
CLASSES, PER_CLASS = 10, 12

Pairs = Iterator[tuple[Tensor, Tensor]]
Batches = Iterator[tuple[Tree, Tree]]


def encoder(channels: int = 1) -> ConvEncoder:
    """The one backbone of all methods: three stages, batch normalization, a mean."""
    return ConvEncoder(channels, WIDTH)


def both(pairs: Pairs, bank: Labeled, rng: torch.Generator) -> Batches:
    """Both views as x and as y: every pair counts both ways."""
    return ((views, views) for views in pairs)


def one_way(pairs: Pairs, bank: Labeled, rng: torch.Generator) -> Batches:
    """One view as x, the other as y."""
    return iter(pairs)


def supported(pairs: Pairs, bank: Labeled, rng: torch.Generator) -> Batches:
    """Both views, and some labeled images of each class of the bank."""
    members = [(bank.labels == c).nonzero().flatten() for c in range(CLASSES)]
    labels = torch.arange(CLASSES).repeat_interleave(PER_CLASS)
    for views in pairs:
        index = torch.cat(
            [m[torch.randint(0, len(m), (PER_CLASS,), generator=rng)] for m in members]
        )
        yield views, (*views, bank.images[index], labels)


def turned(pairs: Pairs, bank: Labeled, rng: torch.Generator) -> Batches:
    """All views in one batch, each rotated, and by how many quarter turns."""
    for views in pairs:
        yield QuarterTurn().labelled(torch.cat(views), rng)


def simclr(f: ConvEncoder, steps: int) -> Method:
    return methods.simclr(f, f.dim, projection=64, temperature=0.2, x_ndim=3)


def moco(f: ConvEncoder, steps: int) -> Method:
    return methods.moco(
        f, f.dim, projection=64, memory=4096, temperature=0.2, decay=0.99, x_ndim=3
    )


def nnclr(f: ConvEncoder, steps: int) -> Method:
    return methods.nnclr(
        f, f.dim, projection=64, hidden=256, bottleneck=256, memory=4096, temperature=0.2, x_ndim=3
    )


def siamese(f: ConvEncoder, steps: int) -> Method:
    return methods.siamese(f, margin=1.0, x_ndim=3)


def byol(f: ConvEncoder, steps: int) -> Method:
    rising = teachers.rising_cosine(0.97, steps)
    return methods.byol(f, f.dim, projection=128, hidden=256, decay=rising, x_ndim=3)


def simsiam(f: ConvEncoder, steps: int) -> Method:
    return methods.simsiam(f, f.dim, projection=256, bottleneck=64, x_ndim=3)


def swav(f: ConvEncoder, steps: int) -> Method:
    return methods.swav(
        f, f.dim, prototypes=300, projection=64, hidden=256, frozen_steps=steps // 50, x_ndim=3
    )


def deepcluster(f: ConvEncoder, steps: int) -> Method:
    # In 2.6 epochs the codes move fast: clusters are of the last 2,048, again and again.
    return methods.deepcluster(
        f,
        f.dim,
        memory=2048,
        every=8,
        prototypes=(100, 100, 100),
        projection=64,
        hidden=256,
        iterations=5,
        x_ndim=3,
    )


def deepercluster(f: ConvEncoder, steps: int) -> Method:
    return methods.deepercluster(
        f,
        f.dim,
        memory=16384,
        every=max(1, steps // 24),
        parts=50,
        projection=64,
        hidden=256,
        x_ndim=3,
    )


def dino(f: ConvEncoder, steps: int) -> Method:
    return methods.dino(
        f,
        f.dim,
        outputs=512,
        hidden=256,
        bottleneck=64,
        decay=teachers.rising_cosine(0.97, steps),
        frozen_steps=steps // 50,
        x_ndim=3,
    )


def paws(f: ConvEncoder, steps: int) -> Method:
    return methods.paws(f, f.dim, CLASSES, projection=64, hidden=256, x_ndim=3)


def barlow_twins(f: ConvEncoder, steps: int) -> Method:
    return methods.barlow_twins(
        f, f.dim, projection=256, hidden=256, off_diagonal=0.0051, x_ndim=3
    )


def vicreg(f: ConvEncoder, steps: int) -> Method:
    return methods.vicreg(f, 256, projector=Expander(f.dim, 256, 256), x_ndim=3)


def lejepa(f: ConvEncoder, steps: int) -> Method:
    return methods.lejepa(
        f, f.dim, projection=64, hidden=256, weight=0.5, directions=256, x_ndim=3
    )


def w_mse(f: ConvEncoder, steps: int) -> Method:
    return methods.w_mse(f, f.dim, projection=64, hidden=256, rows=128, x_ndim=3)


@dataclass(frozen=True)
class Setting:
    """How a method is trained: AdamW, its step size rising for a twentieth, then down a cosine.

    Args:
        recipe: (encoder, steps) -> method.
        batch: pairs of views in a batch.
        lr: the largest step size.
        feed: what x and y are made of.
        weight_decay: of AdamW.
        settled: commits before the first step.
        note: what else the reader of a table should know.
    """

    recipe: Callable[[ConvEncoder, int], Method]
    batch: int = 256
    lr: float = 3e-3
    feed: Callable[[Pairs, Labeled, torch.Generator], Batches] = both
    weight_decay: float = 1e-4
    settled: int = 0
    note: str = ""


SETTINGS: dict[str, Setting] = {
    "simclr": Setting(simclr, note="τ 0.2, projector 64"),
    "vicreg": Setting(vicreg, note="25, 25, 1; expander 256"),
    "byol": Setting(byol, 64, 2e-3, note="teacher 0.97 → 1, projector and predictor 256, 128"),
    "swav": Setting(swav, 64, note="300 prototypes, ε 0.05, τ 0.1"),
    "simsiam": Setting(simsiam, 64, note="projector 256, predictor 64"),
    "barlow_twins": Setting(barlow_twins, 128, note="λ 0.0051, projector 256"),
    "moco": Setting(moco, 128, note="τ 0.2, queue 4096, teacher 0.99"),
    "nnclr": Setting(nnclr, 128, note="τ 0.2, memory 4096"),
    "dino": Setting(dino, 64, note="512 outputs, τ 0.1 and 0.04, teacher 0.97 → 1"),
    "lejepa": Setting(lejepa, 128, note="λ 0.5, 64 dimensions, 256 directions"),
    "w_mse": Setting(w_mse, note="64 dimensions, whitened by 128"),
    "deepcluster": Setting(
        deepcluster, 128, settled=16, note="3 × 100 clusters of the last 2,048 codes"
    ),
    "siamese": Setting(siamese, 128, feed=one_way, note="margin 1"),
    "paws": Setting(paws, 128, feed=supported, note="sees labels: 120 of the bank each step"),
    "deepercluster": Setting(
        deepercluster, feed=turned, settled=25, note="512 rotated views, 16 × 50 clusters"
    ),
}
