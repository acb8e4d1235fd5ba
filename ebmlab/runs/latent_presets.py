"""Methods with a z for each image, with sizes for small images: decoders, clusters, atoms."""

from typing import Any

import torch
from torch import Tensor, nn

from ebmlab import methods
from ebmlab.energies import GaussianNLL, SquaredDistance, kmeans_plus_plus
from ebmlab.networks import MLP, GaussianHead
from ebmlab.runs._images.feeds import HALVES, IMAGES, NUMBERED, VECTORS
from ebmlab.runs.preset import Preset, Setting

__all__ = ["LATENT_PRESETS"]

HIDDEN, PARTS, CODES = 256, 8, 64
_SQUARED = "squared error of an image"
_BOUND = "bound on -log p(y), nats"
_SPARSE = "squared error + λ‖z‖₁"


def _to(s: Setting, outputs: int) -> nn.Module:
    assert s.backbone is not None
    return nn.Sequential(s.backbone, nn.Linear(s.width, outputs))


def _from(s: Setting) -> nn.Module:
    return nn.Sequential(MLP(s.dim, s.pixels, (HIDDEN,)), nn.Unflatten(1, s.shape))


def _auto(s: Setting, **more: Any) -> dict[str, Any]:
    f, g = _to(s, s.dim), _from(s)
    return {"encoder": f, "decoder": g, "distance": SquaredDistance(3), **more}


def _variational(s: Setting, **more: Any) -> dict[str, Any]:
    f, g = GaussianHead(_to(s, 2 * s.dim)), _from(s)
    distance = GaussianNLL(0.25, learned=True, ndim=3)
    return {"encoder": f, "decoder": g, "distance": distance, **more}


def _quantized(s: Setting) -> dict[str, Any]:
    """So many numbers of the code, in parts of equal length, each one of the codebook's."""
    f = nn.Sequential(_to(s, PARTS * s.dim), nn.Unflatten(1, (PARTS, s.dim)))
    pixels = MLP(PARTS * s.dim, s.pixels, (HIDDEN,))
    g = nn.Sequential(nn.Flatten(), pixels, nn.Unflatten(1, s.shape))
    codes = 0.1 * torch.randn(CODES, s.dim, generator=s.rng, device=s.rng.device)
    distance = SquaredDistance(3)
    return {"encoder": f, "decoder": g, "codebook": codes, "distance": distance, "parts": True}


def _halved(s: Setting) -> dict[str, Any]:
    *rest, wide = s.shape
    shapes = {"x_shape": (*rest, wide // 2), "y_shape": (*rest, wide - wide // 2)}
    return {**shapes, "codes": s.dim, "width": HIDDEN}


def _starts(s: Setting) -> Tensor:
    return kmeans_plus_plus(s.vectors, s.dim, s.rng)


def _mixed(s: Setting) -> dict[str, Any]:
    means, variance = _starts(s), s.vectors.var(0) + 0.01
    covariances = variance.expand_as(means)
    return {"means": means, "covariances": covariances, "decay": 0.9, "regularization": 0.01}


def _sparse(s: Setting, **more: Any) -> dict[str, Any]:
    """Atoms that are different images, a little noise added so that none is zero."""
    rows = torch.randint(len(s.images), (s.dim,), generator=s.rng, device=s.rng.device)
    noise = torch.randn(s.dim, s.pixels, generator=s.rng, device=s.rng.device)
    return {"atoms": s.images[rows].flatten(1) + 0.1 * noise, "weight": 0.5, **more}


def _searched(s: Setting, **more: Any) -> dict[str, Any]:
    """Atoms that are images look alike: codes to three digits would take thousands of steps."""
    return _sparse(s, tolerance=1e-2, **more)


# A row has one line, or as few as can be.
# fmt: off
LATENT_PRESETS = (
    Preset(methods.autoencoder, IMAGES, "mlp", 32, _auto, _SQUARED),
    Preset(methods.contractive_autoencoder, IMAGES, "mlp", 32,
           lambda s: _auto(s, weight=0.01, probes=1), _SQUARED),
    Preset(methods.denoising_autoencoder, IMAGES, "mlp", 32,
           lambda s: _auto(s, sigma=0.2), _SQUARED),
    Preset(methods.glo, NUMBERED, None, 32, lambda s: {
           "decoder": _from(s), "n": len(s.images), "dim": s.dim, "rng": s.rng,
           "distance": SquaredDistance(3)}),
    Preset(methods.gmm, VECTORS, None, 32, _mixed, "-log p(y), nats"),
    Preset(methods.image_prediction, HALVES, None, 16, _halved, "squared error of a right half"),
    Preset(methods.iwae, IMAGES, "mlp", 32, lambda s: _variational(s, samples=8), _BOUND),
    Preset(methods.kmeans, VECTORS, None, 32,
           lambda s: {"centers": _starts(s), "decay": 1.0}, _SQUARED),
    Preset(methods.lista, VECTORS, None, 128, _sparse, _SPARSE),
    Preset(methods.pca, VECTORS, None, 32, lambda s: {"dim": s.pixels, "k": s.dim}, _SQUARED),
    Preset(methods.psd, VECTORS, None, 128,
           lambda s: _searched(s, encoder=MLP(s.pixels, s.dim, (HIDDEN,))), f"{_SPARSE} + guess"),
    Preset(methods.sparse_coding, VECTORS, None, 128, _searched, _SPARSE),
    Preset(methods.vae, IMAGES, "mlp", 32, _variational, _BOUND),
    Preset(methods.vq_vae, IMAGES, "mlp", 8, _quantized, _SQUARED),
)
# fmt: on
