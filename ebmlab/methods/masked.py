"""Recipes that hide parts of y and predict them from the rest."""

from ebmlab.energies import Completion, PatchError
from ebmlab.methods.cards import card
from ebmlab.networks import MaskedAutoencoder, ViT
from ebmlab.networks._backbones.blocks import begin_uniform
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["masked_autoencoder"]


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
