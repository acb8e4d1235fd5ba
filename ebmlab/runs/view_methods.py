"""Recipes that see views of images, as `train` builds them: with sizes for small images."""

from collections.abc import Mapping

import torch

from ebmlab import methods
from ebmlab.inference import Enumerate
from ebmlab.networks import MLP, Choice, Expander
from ebmlab.protocols import Method
from ebmlab.runs.setting import Setting, Trainable
from ebmlab.runs.view_batches import multi_crop, pair, supported, teacher_crops, turned

__all__ = ["VIEW_METHODS"]

CLUSTERS, PAST, HIDDEN = 64, 4096, 512


def _past(s: Setting) -> int:
    return min(PAST, len(s.images))


def _clusters(s: Setting) -> int:
    return min(CLUSTERS, len(s.images))


def _joint_embedding(s: Setting) -> Method:
    return methods.joint_embedding(s.backbone, x_ndim=3)


def _jepa(s: Setting) -> Method:
    """z says which of so many codes of the other view; the weights are VICReg's."""
    predictor = Choice(MLP(s.width, s.dim * s.width, (HIDDEN,)), s.dim)
    values = torch.eye(s.dim, device=s.rng.device)
    return methods.jepa(
        s.backbone, predictor, Enumerate(values), energy_weight=25 / s.width, x_ndim=3
    )


def _siamese(s: Setting) -> Method:
    return methods.siamese(s.backbone, x_ndim=3)


def _simclr(s: Setting) -> Method:
    return methods.simclr(s.backbone, s.width, projection=s.dim, x_ndim=3)


def _moco(s: Setting) -> Method:
    return methods.moco(
        s.backbone, s.width, projection=s.dim, memory=_past(s), temperature=0.2, decay=0.99,
        x_ndim=3,
    )  # fmt: skip


def _nnclr(s: Setting) -> Method:
    return methods.nnclr(
        s.backbone, s.width, projection=s.dim, hidden=HIDDEN, bottleneck=HIDDEN, memory=_past(s),
        x_ndim=3,
    )  # fmt: skip


def _simsiam(s: Setting) -> Method:
    return methods.simsiam(
        s.backbone, s.width, projection=s.dim, bottleneck=max(1, s.dim // 4), x_ndim=3
    )


def _byol(s: Setting) -> Method:
    return methods.byol(s.backbone, s.width, projection=s.dim, hidden=HIDDEN, x_ndim=3)


def _vicreg(s: Setting) -> Method:
    projector = Expander(s.width, s.dim, s.dim)
    return methods.vicreg(s.backbone, s.dim, projector=projector, x_ndim=3)


def _barlow_twins(s: Setting) -> Method:
    return methods.barlow_twins(s.backbone, s.width, projection=s.dim, hidden=s.dim, x_ndim=3)


def _lejepa(s: Setting) -> Method:
    return methods.lejepa(s.backbone, s.width, projection=s.dim, hidden=HIDDEN, x_ndim=3)


def _w_mse(s: Setting) -> Method:
    # Half as many dimensions as rows at most, so that batches can be whitened.
    most = max(1, min(s.batch_size, len(s.images)) // 2)
    return methods.w_mse(
        s.backbone, s.width, projection=min(s.dim, most), hidden=HIDDEN, rows=None, x_ndim=3
    )


def _swav(s: Setting) -> Method:
    return methods.swav(
        s.backbone, s.width, prototypes=CLUSTERS, projection=s.dim, hidden=HIDDEN,
        frozen_steps=s.epoch, x_ndim=3,
    )  # fmt: skip


def _deepcluster(s: Setting) -> Method:
    return methods.deepcluster(
        s.backbone, s.width, memory=2 * len(s.images), every=s.epoch,
        prototypes=(_clusters(s),) * 3, projection=s.dim, hidden=HIDDEN, x_ndim=3,
    )  # fmt: skip


def _deepercluster(s: Setting) -> Method:
    return methods.deepercluster(
        s.backbone, s.width, memory=len(s.images), every=s.epoch, parts=CLUSTERS // 4,
        projection=s.dim, hidden=HIDDEN,
    )  # fmt: skip


def _dino(s: Setting) -> Method:
    return methods.dino(
        s.backbone, s.width, outputs=4 * CLUSTERS, hidden=HIDDEN, bottleneck=s.dim, decay=0.99,
        frozen_steps=s.epoch, x_ndim=3,
    )  # fmt: skip


def _paws(s: Setting) -> Method:
    classes = int(s.labels.max()) + 1
    return methods.paws(s.backbone, s.width, classes, projection=s.dim, hidden=HIDDEN, x_ndim=3)


VIEW_METHODS: Mapping[str, Trainable] = {
    "barlow_twins": Trainable(_barlow_twins, pair, "conv", 512),
    "byol": Trainable(_byol, pair, "conv", 128),
    "deepcluster": Trainable(_deepcluster, pair, "conv", 128, settles=True),
    "deepercluster": Trainable(_deepercluster, turned, "conv", 128, settles=True),
    "dino": Trainable(_dino, teacher_crops, "conv", 128, several_sizes=True),
    "jepa": Trainable(_jepa, pair, "conv", 8),
    "joint_embedding": Trainable(_joint_embedding, pair, "conv", None),
    "lejepa": Trainable(_lejepa, pair, "conv", 64),
    "moco": Trainable(_moco, pair, "conv", 128),
    "nnclr": Trainable(_nnclr, pair, "conv", 128),
    "paws": Trainable(_paws, supported, "conv", 128),
    "siamese": Trainable(_siamese, pair, "conv", None),
    "simclr": Trainable(_simclr, pair, "conv", 128),
    "simsiam": Trainable(_simsiam, pair, "conv", 512),
    "swav": Trainable(_swav, multi_crop, "conv", 128, several_sizes=True),
    "vicreg": Trainable(_vicreg, pair, "conv", 512),
    "w_mse": Trainable(_w_mse, pair, "conv", 64),
}
