"""Methods that see views or patches of images, with sizes for small images."""

import math
from typing import Any

import torch

from ebmlab import methods
from ebmlab.inference import Enumerate
from ebmlab.networks import Expander
from ebmlab.runs._images.encoders import patch_of
from ebmlab.runs._images.feeds import (
    BLOCKS,
    CROPS,
    PAIR,
    PATCHES,
    SUPPORTED,
    TEACHER_CROPS,
    TURNED,
)
from ebmlab.runs.preset import Preset, Setting

__all__ = ["VIEW_PRESETS"]

CLUSTERS, PAST, HIDDEN, HEADS = 64, 4096, 512, 4


def _past(s: Setting) -> int:
    return min(PAST, len(s.images))


def _encoded(s: Setting, **more: Any) -> dict[str, Any]:
    return {"encoder": s.backbone, "x_ndim": 3, **more}


def _projected(s: Setting, **more: Any) -> dict[str, Any]:
    return _encoded(s, dim=s.width, projection=s.dim, **more)


def _jepa(s: Setting) -> dict[str, Any]:
    """z says which of so many operators leads from one view to the other."""
    infer = Enumerate(torch.eye(s.dim, device=s.rng.device))
    return _encoded(s, dim=s.width, codes=s.dim, infer=infer)


def _whitened(s: Setting) -> dict[str, Any]:
    """Half as many dimensions as rows at most, so that batches can be whitened."""
    most = max(1, min(s.batch_size, len(s.images)) // 2)
    return _encoded(s, dim=s.width, projection=min(s.dim, most), hidden=HIDDEN, rows=None)


# A row has one line, or as few as can be.
# fmt: off
VIEW_PRESETS = (
    Preset(methods.barlow_twins, PAIR, "conv", 512, lambda s: _projected(s, hidden=s.dim)),
    Preset(methods.byol, PAIR, "conv", 128, lambda s: _projected(s, hidden=HIDDEN)),
    Preset(methods.deepcluster, PAIR, "conv", 128, lambda s: _projected(
        s, memory=2 * len(s.images), every=s.epoch, hidden=HIDDEN,
        prototypes=(min(CLUSTERS, len(s.images)),) * 3), settles=True),
    Preset(methods.deepercluster, TURNED, "conv", 128, lambda s: _projected(
        s, memory=len(s.images), every=s.epoch, parts=CLUSTERS // 4, hidden=HIDDEN), settles=True),
    Preset(methods.dino, TEACHER_CROPS, "conv", 128, lambda s: _encoded(
        s, dim=s.width, outputs=4 * CLUSTERS, hidden=HIDDEN, bottleneck=s.dim, decay=0.99,
        frozen_steps=s.epoch), several_sizes=True),
    Preset(methods.ijepa, BLOCKS, None, 128, lambda s: {
        "size": s.shape[-1], "patch": patch_of(s.shape[-1]), "channels": s.shape[0],
        "dim": s.dim, "depth": 4, "heads": math.gcd(s.dim, HEADS), "predictor_dim": 64,
        "predictor_depth": 2, "predictor_heads": HEADS, "decay": 0.996}),
    Preset(methods.jepa, PAIR, "conv", 8, _jepa),
    Preset(methods.joint_embedding, PAIR, "conv", None, _encoded),
    Preset(methods.lejepa, PAIR, "conv", 64, lambda s: _projected(s, hidden=HIDDEN)),
    # Patches of plain ground are many here: divided by their spread they would be noise.
    Preset(methods.masked_autoencoder, PATCHES, None, 128, lambda s: {
        "size": s.shape[-1], "patch": patch_of(s.shape[-1]), "channels": s.shape[0],
        "dim": s.dim, "depth": 4, "heads": math.gcd(s.dim, HEADS), "decoder_dim": 64,
        "decoder_depth": 2, "decoder_heads": HEADS, "normalized": False},
        "mean squared error of hidden pixels"),
    Preset(methods.moco, PAIR, "conv", 128, lambda s: _projected(
        s, memory=_past(s), temperature=0.2, decay=0.99)),
    Preset(methods.nnclr, PAIR, "conv", 128, lambda s: _projected(
        s, hidden=HIDDEN, bottleneck=HIDDEN, memory=_past(s))),
    Preset(methods.paws, SUPPORTED, "conv", 128, lambda s: _projected(
        s, classes=int(s.known.max()) + 1, hidden=HIDDEN)),
    # Small batches stay at ln K where ε is that of the paper, or clusters are more than rows.
    Preset(methods.seer, CROPS, "regnety-400mf", 128, lambda s: _projected(
        s, prototypes=max(2, min(CLUSTERS, s.batch_size // 2)), hidden=HIDDEN, epsilon=0.02,
        frozen_steps=0), several_sizes=True),
    Preset(methods.siamese, PAIR, "conv", None, _encoded),
    Preset(methods.simclr, PAIR, "conv", 128, _projected),
    Preset(methods.simsiam, PAIR, "conv", 512, lambda s: _projected(
        s, bottleneck=max(1, s.dim // 4))),
    Preset(methods.swav, CROPS, "conv", 128, lambda s: _projected(
        s, prototypes=CLUSTERS, hidden=HIDDEN, frozen_steps=s.epoch), several_sizes=True),
    Preset(methods.vicreg, PAIR, "conv", 512, lambda s: _encoded(
        s, dim=s.dim, projector=Expander(s.width, s.dim, s.dim))),
    Preset(methods.w_mse, PAIR, "conv", 64, _whitened),
)
# fmt: on
