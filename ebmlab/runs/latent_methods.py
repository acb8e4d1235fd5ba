"""Recipes with a z for each image, as `train` builds them: decoders, clusters, dictionaries."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ebmlab import methods
from ebmlab.energies import GaussianNLL, SquaredDistance, kmeans_plus_plus
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Descent
from ebmlab.networks import MLP, GaussianHead
from ebmlab.protocols import Method
from ebmlab.runs.setting import Setting, Trainable
from ebmlab.types import Tree

__all__ = ["LATENT_METHODS"]

HIDDEN, PARTS, CODES = 256, 8, 64
# Atoms that are images look alike: codes to three digits would take thousands of steps.
TOLERANCE = 1e-2
_SQUARED = "squared error of an image"
_BOUND = "bound on -log p(y), nats"


def _images(s: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """No x; images as y."""
    return None, s.images[rows]


def _vectors(s: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """No x; all pixels of an image side by side as y."""
    return None, s.images[rows].flatten(1)


def _numbered(s: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """The number of an image as x, the image as y."""
    return rows, s.images[rows]


def _left(images: Tensor) -> Tensor:
    return images[..., : images.shape[-1] // 2]


def _halves(s: Setting, rows: Tensor, rng: torch.Generator) -> tuple[Tree, Tree]:
    """Left halves of images as x, right halves as y."""
    images = s.images[rows]
    return _left(images), images[..., images.shape[-1] // 2 :]


def _to(s: Setting, outputs: int) -> nn.Module:
    return nn.Sequential(s.backbone, nn.Linear(s.width, outputs))


def _from(s: Setting) -> nn.Module:
    network = MLP(s.dim, s.pixels, (HIDDEN,))
    return nn.Sequential(network, nn.Unflatten(1, s.shape))


def _autoencoder(s: Setting) -> Method:
    return methods.autoencoder(_to(s, s.dim), _from(s), distance=SquaredDistance(3))


def _denoising_autoencoder(s: Setting) -> Method:
    return methods.denoising_autoencoder(_to(s, s.dim), _from(s), 0.2, distance=SquaredDistance(3))


def _contractive_autoencoder(s: Setting) -> Method:
    return methods.contractive_autoencoder(
        _to(s, s.dim), _from(s), 0.01, probes=1, distance=SquaredDistance(3)
    )


def _likelihood() -> GaussianNLL:
    return GaussianNLL(0.25, learned=True, ndim=3)


def _vae(s: Setting) -> Method:
    return methods.vae(GaussianHead(_to(s, 2 * s.dim)), _from(s), _likelihood())


def _iwae(s: Setting) -> Method:
    return methods.iwae(GaussianHead(_to(s, 2 * s.dim)), _from(s), _likelihood(), samples=8)


def _vq_vae(s: Setting) -> Method:
    """So many numbers of the code, in parts of equal length, each one of the codebook's."""
    encoder = nn.Sequential(_to(s, PARTS * s.dim), nn.Unflatten(1, (PARTS, s.dim)))
    decoder = nn.Sequential(
        nn.Flatten(), MLP(PARTS * s.dim, s.pixels, (HIDDEN,)), nn.Unflatten(1, s.shape)
    )
    codebook = 0.1 * torch.randn(CODES, s.dim, generator=s.rng, device=s.rng.device)
    return methods.vq_vae(encoder, decoder, codebook, distance=SquaredDistance(3), parts=True)


def _glo(s: Setting) -> Method:
    return methods.glo(_from(s), len(s.images), s.dim, s.rng, distance=SquaredDistance(3))


def _pca(s: Setting) -> Method:
    return methods.pca(s.pixels, s.dim)


def _image_prediction(s: Setting) -> Method:
    channels, high, wide = s.shape
    x_shape, y_shape = (channels, high, wide // 2), (channels, high, wide - wide // 2)
    return methods.image_prediction(x_shape, y_shape, s.dim, width=HIDDEN)


def _starts(s: Setting) -> Tensor:
    return kmeans_plus_plus(s.images.flatten(1), s.dim, s.rng)


def _kmeans(s: Setting) -> Method:
    return methods.kmeans(_starts(s), decay=1.0)


def _gmm(s: Setting) -> Method:
    means = _starts(s)
    variance = s.images.flatten(1).var(0) + 0.01
    return methods.gmm(means, variance.expand_as(means), decay=0.9, regularization=0.01)


def _atoms(s: Setting) -> Tensor:
    """Different images, a little noise added so that none is zero."""
    images = s.images.flatten(1)
    rows = torch.randint(len(images), (s.dim,), generator=s.rng, device=s.rng.device)
    noise = torch.randn(s.dim, s.pixels, generator=s.rng, device=s.rng.device)
    return images[rows] + 0.1 * noise


def _sparse_coding(s: Setting) -> Method:
    return methods.sparse_coding(_atoms(s), 0.5, tolerance=TOLERANCE)


def _psd(s: Setting) -> Method:
    encoder = MLP(s.pixels, s.dim, (HIDDEN,))
    return methods.psd(_atoms(s), encoder, 0.5, tolerance=TOLERANCE)


def _lista(s: Setting) -> Method:
    return methods.lista(_atoms(s), weight=0.5)


def _flat(method: Method, images: Tensor) -> Tensor:
    return method.encode(images.flatten(1))


def _seen(method: Method, images: Tensor) -> Tensor:
    return method.encode(_left(images))


def _parts(method: Method, images: Tensor) -> Tensor:
    return method.encode(images).flatten(1)


def _of(method: Method) -> FreeEnergy:
    assert isinstance(method.energy, FreeEnergy)
    return method.energy


def _inferred(method: Method, images: Tensor) -> Tensor:
    """The z of lowest energy."""
    return _of(method).posterior(None, images.flatten(1)).atoms[0]


def _fits(method: Method, images: Tensor) -> Tensor:
    """How well each cluster fits: -E(y, z) for every z."""
    clusters = _of(method)
    return -clusters.energy(None, images.flatten(1)[:, None], clusters.get_buffer("infer.atoms"))


def _descended(method: Method, images: Tensor) -> Tensor:
    """The z of lowest energy for images that have none stored."""
    stored = _of(method)
    dim = stored.get_parameter("infer.table").shape[1]
    infer = Descent(images.new_zeros(1, dim), steps=100)
    return FreeEnergy(stored.energy, infer).posterior(None, images).atoms[0]


LATENT_METHODS: Mapping[str, Trainable] = {
    "autoencoder": Trainable(_autoencoder, _images, "mlp", 32, measure=_SQUARED),
    "contractive_autoencoder": Trainable(
        _contractive_autoencoder, _images, "mlp", 32, measure=_SQUARED
    ),
    "denoising_autoencoder": Trainable(
        _denoising_autoencoder, _images, "mlp", 32, measure=_SQUARED
    ),
    "glo": Trainable(_glo, _numbered, None, 32, codes=_descended),
    "gmm": Trainable(_gmm, _vectors, None, 32, codes=_fits, measure="-log p(y), nats"),
    "image_prediction": Trainable(
        _image_prediction, _halves, None, 16, codes=_seen, measure="squared error of a right half"
    ),
    "iwae": Trainable(_iwae, _images, "mlp", 32, measure=_BOUND),
    "kmeans": Trainable(_kmeans, _vectors, None, 32, codes=_fits, measure=_SQUARED),
    "lista": Trainable(_lista, _vectors, None, 128, codes=_flat, measure="squared error + λ‖z‖₁"),
    "pca": Trainable(_pca, _vectors, None, 32, codes=_flat, measure=_SQUARED),
    "psd": Trainable(
        _psd, _vectors, None, 128, codes=_flat, measure="squared error + λ‖z‖₁ + guess"
    ),
    "sparse_coding": Trainable(
        _sparse_coding, _vectors, None, 128, codes=_inferred, measure="squared error + λ‖z‖₁"
    ),
    "vae": Trainable(_vae, _images, "mlp", 32, measure=_BOUND),
    "vq_vae": Trainable(_vq_vae, _images, "mlp", 8, codes=_parts, measure=_SQUARED),
}
