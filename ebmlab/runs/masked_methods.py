"""Recipes that hide parts of images, as `train` builds them: with sizes for small images."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ebmlab import methods
from ebmlab.data.views import Masked
from ebmlab.protocols import Method
from ebmlab.runs.encoders import patch_of
from ebmlab.runs.setting import Setting, Trainable
from ebmlab.types import Tree

__all__ = ["MASKED_METHODS"]

DEPTH, HEADS, DECODER_DIM, DECODER_DEPTH = 4, 4, 64, 2


def _patches(s: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """A quarter of the patches with their places as x, the others as y."""
    return Masked(patch_of(s.shape[-1]))(s.images[rows], rng)


def _masked_autoencoder(s: Setting) -> Method:
    # Patches of plain ground are many here: divided by their spread they would be noise.
    return methods.masked_autoencoder(
        s.shape[-1], patch_of(s.shape[-1]), channels=s.shape[0], dim=s.dim, depth=DEPTH,
        heads=math.gcd(s.dim, HEADS), decoder_dim=DECODER_DIM, decoder_depth=DECODER_DEPTH,
        decoder_heads=HEADS, normalized=False,
    )  # fmt: skip


MASKED_METHODS: Mapping[str, Trainable] = {
    "masked_autoencoder": Trainable(
        _masked_autoencoder, _patches, None, 128, measure="mean squared error of hidden pixels"
    ),
}
