"""Methods with a z for each point: clusters, codes, sparse codes, angles."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab import Method, data, fit, methods
from ebmlab.energies import GaussianNLL, kmeans_plus_plus
from ebmlab.networks import MLP, GaussianHead
from ebmlab.training import Stepping, falling_cosine
from pictures.exhibit import shown
from pictures.latents import (
    decoder_of,
    of_angles,
    of_centers,
    of_curve,
    of_dictionary,
    of_nats,
    of_stored,
)
from pictures.toys import moons

FALLS = Stepping(schedule=falling_cosine)
CURVE = "The line is what the decoder makes of a code of one number, which colors the data. "
ATOMS = "Lines are the atoms, points are sums of few of them. "


def rows() -> Tensor:
    """Different data, scattered over the moons."""
    return kmeans_plus_plus(moons(), 6, torch.Generator().manual_seed(0))


def _of_clusters(method: Method) -> Figure:
    return of_centers(method, method.get_buffer("energy.energy.codebook.codes"), (0.0, 2.0))


def _of_components(method: Method) -> Figure:
    return of_centers(method, method.get_buffer("energy.energy.means"), (0.0, 10.0))


def _of_codes(method: Method) -> Figure:
    with torch.no_grad():
        centers = decoder_of(method)(method.get_buffer("energy.infer.codebook.codes"))
    return of_centers(method, centers, (0.0, 2.0))


@shown(
    _of_clusters,
    "F(y) is the squared distance to the nearest of ten centers, crosses, found "
    "by Lloyd's steps. A few values of z tile the moons, and each has a bowl of its own.",
)
def kmeans() -> Method:
    y = moons()
    centers = kmeans_plus_plus(y, 10, torch.Generator().manual_seed(0))
    method = methods.kmeans(centers)
    fit(method, (None, y), steps=20, batch_size=len(y))
    return method


@shown(
    _of_components,
    "Eight Gaussians with full covariances, found by EM. F is −log p(y) in "
    "nats, so that exp(−F) is a density: the ovals follow the moons.",
)
def gmm() -> Method:
    y = moons()
    means = kmeans_plus_plus(y, 8, torch.Generator().manual_seed(0))
    method = methods.gmm(means, 0.1 * torch.eye(2).expand(8, 2, 2))
    fit(method, (None, y), steps=40, batch_size=len(y))
    return method


@shown(
    _of_codes,
    "An autoencoder whose codes are rounded to the nearest of 16: crosses are what "
    "the decoder makes of them. The landscape has steps where a point changes its code.",
)
def vq_vae() -> Method:
    y = moons()
    codes = 0.5 * torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    method = methods.vq_vae(MLP(2, 2, (64,)), MLP(2, 2, (64,)), codes)
    fit(method, (None, y), steps=800, lr=3e-3)
    return method


@shown(
    of_curve,
    "A line through the cloud, the first principal component, in closed form. It "
    "cannot bend: moons are not told apart, and F is low where no data are.",
)
def pca() -> Method:
    y = moons()
    method = methods.pca(2, 1)
    fit(method, (None, y), steps=1, batch_size=len(y))
    return method


@shown(
    of_curve,
    CURVE + "F is the error of the copy. It is low all along the line, also where it "
    "leaps from moon to moon and no data are.",
)
def autoencoder() -> Method:
    y = moons()
    method = methods.autoencoder(MLP(2, 1, (64, 64)), MLP(1, 2, (64, 64)))
    fit(method, (None, y), steps=1500, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_curve,
    CURVE + "The encoder sees noisy points, so that neighbors across the line share "
    "their code, and the line is smoother.",
)
def denoising_autoencoder() -> Method:
    y = moons()
    f, g = MLP(2, 1, (64, 64)), MLP(1, 2, (64, 64))
    method = methods.denoising_autoencoder(f, g, sigma=0.2)
    fit(method, (None, y), steps=1500, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_curve,
    CURVE + "A penalty on the encoder's slope lets codes change only where errors pay for it.",
)
def contractive_autoencoder() -> Method:
    y = moons()
    f, g = MLP(2, 1, (64, 64)), MLP(1, 2, (64, 64))
    method = methods.contractive_autoencoder(f, g, weight=0.01)
    fit(method, (None, y), steps=1000, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_nats,
    CURVE + "F bounds −log p(y), in nats, estimated by one draw of z for each point: "
    "the grain of the landscape. Codes are noisy, and keep near N(0, 1).",
)
def vae() -> Method:
    y = moons()
    f, g = GaussianHead(MLP(2, 2, (64, 64))), MLP(1, 2, (64, 64))
    method = methods.vae(f, g, GaussianNLL(0.2))
    fit(method, (None, y), steps=1500, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_nats,
    CURVE + "As the VAE with a bound of 16 draws of z: closer to −log p(y), and less grain.",
)
def iwae() -> Method:
    y = moons()
    f, g = GaussianHead(MLP(2, 2, (64, 64))), MLP(1, 2, (64, 64))
    method = methods.iwae(f, g, GaussianNLL(0.2), samples=16)
    fit(method, (None, y), steps=1000, lr=5e-3, stepping=FALLS)
    return method


@shown(
    of_stored,
    "The line is what the decoder makes of all z in [−1, 1]. There is no encoder: each "
    "datum has a z of its own, random at first and learned with g, so that neighbors need "
    "not have like z, and the line crosses itself. F of a new y asks for its number; drawn "
    "is the distance to the line.",
)
def glo() -> Method:
    y = moons()[:300]
    method = methods.glo(MLP(1, 2, (64, 64)), len(y), 1, torch.Generator().manual_seed(0))
    numbers = torch.arange(len(y))
    fit(method, (numbers, y), steps=1500, batch_size=300, lr=1e-2, stepping=FALLS)
    return method


@shown(
    of_dictionary,
    "Lines are the atoms. F is the error of the best sparse sum and its price λ‖z‖₁, low "
    "near 0: six atoms reach all of the plane, so that F tells nothing of the moons' "
    "shape. Sparsity pays in many dimensions.",
)
def sparse_coding() -> Method:
    y = moons()
    method = methods.sparse_coding(rows(), weight=0.3)
    fit(method, (None, y), steps=100, lr=1e-2)
    return method


@shown(
    of_dictionary,
    "Lines are the atoms. As sparse coding, while an encoder learns to guess the codes; "
    "leaving its guess costs energy, and codes use more atoms.",
)
def psd() -> Method:
    y = moons()
    method = methods.psd(rows(), MLP(2, 6, (64,)), weight=0.3)
    fit(method, (None, y), steps=100, lr=1e-2)
    return method


@shown(
    of_dictionary,
    "Lines are the atoms. Codes are three unrolled steps of ISTA with learned matrices, no "
    "search: colors say how many atoms each point uses, more than an exact search would.",
)
def lista() -> Method:
    y = moons()
    method = methods.lista(rows(), steps=3, weight=0.3)
    fit(method, (None, y), steps=400, lr=1e-2)
    return method


@shown(
    of_angles,
    "Not the moons, but a ring that an ellipse with an angle z can fit: F is low on the "
    "curve that was found, and the best angle, which nobody told, runs around it (colors).",
)
def ellipse() -> Method:
    y = data.ellipse(200, torch.Generator().manual_seed(0))
    method = methods.ellipse()
    fit(method, (None, y), steps=200, lr=2e-2)
    return method
