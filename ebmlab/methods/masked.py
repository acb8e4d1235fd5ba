"""Recipes that hide parts of y and predict them from the rest."""

from collections.abc import Callable

from torch import Tensor

from ebmlab.energies import Completion, PatchError
from ebmlab.energy import Energy
from ebmlab.methods.cards import card
from ebmlab.networks import BlockPredictor, MaskedAutoencoder, PatchCodes, ViT
from ebmlab.networks._backbones.blocks import begin_uniform
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.teachers import EMA

__all__ = ["ijepa", "masked_autoencoder"]


@card(energy="‖p(f(x)) - f'(y)‖² of blocks", collapse="slow teacher f', predictor p")
def ijepa(
    size: int,
    patch: int,
    *,
    channels: int = 3,
    dim: int = 768,
    depth: int = 12,
    heads: int = 12,
    predictor_dim: int = 384,
    predictor_depth: int = 6,
    predictor_heads: int = 12,
    decay: float | Callable[[Tensor], float | Tensor] = 0.996,
    distance: Energy | None = None,
) -> Method:
    """I-JEPA: E(x, y) = mean ‖p(f(x)) - f'(y)‖² of the codes that hidden blocks have in the whole.

    The moving average f' of the encoder, whose codes are normalized, and the predictor prevent
    collapse (dynamics, not descent). `data.views.Blocks(patch)` makes x = (patches, visible,
    hidden) and y = (images, hidden) of images; the representation is the mean of the codes of all
    patches.

    Args:
        size: height and width of the images.
        patch: height and width of a patch.
        channels: of the images.
        dim: length of the codes.
        depth: number of the encoder's blocks.
        heads: of its attention.
        predictor_dim: length of the predictor's tokens.
        predictor_depth: number of its blocks.
        predictor_heads: of its attention.
        decay: of the teacher, or a function of its clock; it rises to 1 in the paper, as in
            `teachers.rising_cosine(0.996, steps)`.
        distance: energy of predicted and teacher's codes (n, count, dim); None is their mean
            squared error.

    Source: Assran et al. 2023, arXiv:2301.08243.
    """
    encoder = ViT(size, patch, dim=dim, depth=depth, heads=heads, channels=channels, pooled=True)
    begin_uniform(encoder, encoder.cls)
    network = BlockPredictor(
        encoder, dim=predictor_dim, depth=predictor_depth, heads=predictor_heads
    )
    distance = PatchError(normalized=False) if distance is None else distance
    teacher = EMA(PatchCodes(encoder), decay)
    energy = Completion(network, distance, target=teacher, x_ndim=(2, 1, 2), y_ndim=(3, 2))
    return Method(energy, Regularized(), encoder=encoder)


@card(energy="‖g(f(x)) - y‖² of hidden patches", collapse="y itself is the target")
def masked_autoencoder(
    size: int,
    patch: int,
    *,
    channels: int = 3,
    dim: int = 768,
    depth: int = 12,
    heads: int = 12,
    decoder_dim: int = 512,
    decoder_depth: int = 8,
    decoder_heads: int = 16,
    normalized: bool = True,
) -> Method:
    """Masked autoencoder: E(x, y) = mean ‖g(f(x)) - y‖² of hidden patches y, x the visible ones.

    y itself is the target, which prevents collapse. `data.views.Masked(patch, share)` makes
    x = (patches, indices) and y of images; the representation is the encoder's [cls] code of all
    patches.

    Args:
        size: height and width of the images.
        patch: height and width of a patch.
        channels: of the images.
        dim: length of the encoder's tokens, and of the representation.
        depth: number of the encoder's blocks.
        heads: of its attention.
        decoder_dim: length of the decoder's tokens.
        decoder_depth: number of its blocks.
        decoder_heads: of its attention.
        normalized: whether each target patch is normalized.

    Source: He, Chen, Xie, Li, Dollár, Girshick 2022, arXiv:2111.06377.
    """
    encoder = ViT(size, patch, dim=dim, depth=depth, heads=heads, channels=channels, fixed=True)
    begin_uniform(encoder, encoder.cls)
    network = MaskedAutoencoder(encoder, dim=decoder_dim, depth=decoder_depth, heads=decoder_heads)
    energy = Completion(network, PatchError(normalized=normalized))
    return Method(energy, Regularized(), encoder=encoder)
