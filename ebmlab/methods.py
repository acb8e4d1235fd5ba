"""Recipes: each method is an energy and an objective, put together in a few lines.

`print(method)` shows what a method is made of.
"""

import torch
from torch import Tensor, nn

from ebmlab.energies import (
    Cosine,
    Density,
    JointEmbedding,
    Predicted,
    Reconstruction,
    SquaredDistance,
)
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import L1, Enumerate, Proximal
from ebmlab.losses import InfoNCE, SquareSquare, difference
from ebmlab.negatives import InBatch, Noise, Replay
from ebmlab.networks import Dictionary, Projector
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.protocols import Method, Sampler
from ebmlab.regularizers import VICReg
from ebmlab.teachers import EMA

__all__ = [
    "byol",
    "denoising_score",
    "igebm",
    "joint_embedding",
    "latent_prediction",
    "noise_contrastive",
    "regression",
    "siamese",
    "simclr",
    "simsiam",
    "sparse_coding",
    "vicreg",
]


def regression(predictor: nn.Module, *, x_ndim: int = 1, y_ndim: int = 1) -> Method:
    """Predict one y: E = ‖f(x) - y‖², pushed down on the data.

    Cannot collapse, since y itself is the target; cannot say that several y are right either.
    """
    energy = JointEmbedding(
        predictor, nn.Identity(), SquaredDistance(y_ndim), x_ndim=x_ndim, y_ndim=y_ndim
    )
    return Method(energy, Regularized(), encoder=predictor)


def joint_embedding(
    online: nn.Module, target: nn.Module | None = None, *, x_ndim: int = 1
) -> Method:
    """E = ‖f(x) - g(y)‖², pushed down on the data and nothing else: nothing prevents collapse."""
    energy = JointEmbedding(online, target, SquaredDistance(), x_ndim=x_ndim)
    return Method(energy, Regularized(), encoder=online)


def siamese(encoder: nn.Module, margin: float = 1.0, *, x_ndim: int = 1) -> Method:
    """DrLIM: squared distance of codes; other pairs of the batch are pushed beyond a margin.

    Source: Bromley et al. 1993; Hadsell, Chopra, LeCun 2006.
    """
    energy = JointEmbedding(encoder, encoder, SquaredDistance(), x_ndim=x_ndim)
    return Method(energy, Contrastive(SquareSquare(margin), InBatch()), encoder=encoder)


def simclr(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 128,
    temperature: float = 0.5,
    x_ndim: int = 1,
) -> Method:
    """SimCLR: two views agree in cosine, against all other views of the batch (NT-Xent).

    Negatives prevent collapse. x and y are tuples of views, `method((v1, v2), (v1, v2))`.

    Args:
        encoder: (n, *event) -> (n, dim), the representation.
        dim: its length.
        projection: length of the codes compared.
        temperature: τ; 0.5 for small images, 0.1 for large ones.
        x_ndim: event dimensions: 1 points, 3 images.

    Source: Chen, Kornblith, Norouzi, Hinton 2020, arXiv:2002.05709.
    """
    f = nn.Sequential(encoder, Projector(dim, dim, projection))
    objective = Contrastive(InfoNCE(temperature), InBatch(both=True))
    return Method(JointEmbedding(f, f, Cosine(), x_ndim=x_ndim), objective, encoder=encoder)


def vicreg(
    encoder: nn.Module,
    dim: int,
    target: nn.Module | None = None,
    *,
    projector: nn.Module | None = None,
    invariance: float = 25.0,
    std: float = 25.0,
    cov: float = 1.0,
    x_ndim: int = 1,
) -> Method:
    """VICReg: codes agree in squared distance, keep their variance, and are uncorrelated.

    The variance of the population prevents collapse. Loss: 25 · mse + 25 · V + 1 · C.

    Args:
        encoder: (n, *event) -> (n, …), the representation.
        dim: length of the codes that are compared.
        target: encoder of y where x and y are things of different kinds; None shares one.
        projector: from the representation to the codes; None compares representations.
        invariance: weight of the mean squared difference.
        std: weight of the variance term.
        cov: weight of the covariance term.
        x_ndim: event dimensions: 1 points, 3 images.

    Source: Bardes, Ponce, LeCun 2022, arXiv:2105.04906.
    """
    online = encoder if projector is None else nn.Sequential(encoder, projector)
    energy = JointEmbedding(online, target, SquaredDistance(), x_ndim=x_ndim)
    objective = Regularized(VICReg(std, cov), energy_weight=invariance / dim)
    return Method(energy, objective, encoder=encoder)


def simsiam(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 2048,
    bottleneck: int = 512,
    x_ndim: int = 1,
) -> Method:
    """SimSiam: predict each view's code from the other's, the target's gradient stopped.

    The asymmetry of predictor and stop-gradient prevents collapse (dynamics, not descent).
    x and y are tuples of views.

    Source: Chen, He 2021, arXiv:2011.10566.
    """
    f = nn.Sequential(encoder, Projector(dim, projection, projection))
    head = Predicted(Projector(projection, bottleneck, projection))
    return Method(JointEmbedding(f, f, head, x_ndim=x_ndim), Regularized(), encoder=encoder)


def byol(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 256,
    hidden: int = 4096,
    decay: float = 0.99,
    x_ndim: int = 1,
) -> Method:
    """BYOL: predict the code that a slow copy of the encoder gives to the other view.

    The moving average, and the predictor before it, prevent collapse (dynamics, not descent).
    x and y are tuples of views; the sum of 2 - 2 cos over both ways is 4 + 4 E.

    Source: Grill et al. 2020, arXiv:2006.07733.
    """
    f = nn.Sequential(encoder, Projector(dim, hidden, projection))
    head = Predicted(Projector(projection, hidden, projection))
    energy = JointEmbedding(f, EMA(f, decay), head, x_ndim=x_ndim)
    return Method(energy, Regularized(energy_weight=4.0), encoder=encoder)


def latent_prediction(
    decoder: nn.Module,
    atoms: Tensor,
    temperature: float = 0.0,
    *,
    takes_x: bool = True,
    distance: Energy | None = None,
) -> Method:
    """Predict a *set* of y: F(x, y) = min over z of ‖g(x, z) - y‖², or its free energy at T > 0.

    The few values that z may take prevent collapse: z carries at most log k nats.

    Args:
        decoder: g(x, z), or g(z).
        atoms: the values of z, (k, *event).
        temperature: T >= 0.
        takes_x: whether the decoder is conditional.
        distance: squared distance of vectors by default.

    Source: LeCun et al. 2006; LeCun 2022, "A path towards autonomous machine intelligence".
    """
    energy = Reconstruction(decoder, distance, takes_x=takes_x)
    return Method(FreeEnergy(energy, Enumerate(atoms), temperature), Regularized())


def noise_contrastive(energy: Energy, density: Density, k: int = 16) -> Method:
    """Tell the right y from k draws of a known density: E tends to -log p(y | x) + log q(y) + c.

    Negatives prevent collapse.

    Source: Gutmann, Hyvärinen 2010; Ma, Collins 2018, arXiv:1809.01812.
    """
    return Method(energy, Contrastive(InfoNCE(), Noise(density, k)))


def igebm(energy: Energy, pool: Tensor, sampler: Sampler, steps: int = 60) -> Method:
    """IGEBM: E+ - E- with negatives from persistent chains of the model, 5 % of them reborn.

    Negatives prevent collapse.

    Source: Du, Mordatch 2019, arXiv:1903.08689.
    """
    return Method(energy, Contrastive(difference, Replay(pool, sampler, steps)))


def denoising_score(energy: Energy, sigma: float) -> Method:
    """Match the slope of the energy to the direction back from noise; no negatives, no log Z.

    Source: Vincent 2011.
    """
    return Method(energy, DenoisingScore(sigma))


def sparse_coding(
    atoms: Tensor,
    weight: float = 1.0,
    *,
    nonnegative: bool = False,
    steps: int = 500,
    tolerance: float | None = 1e-3,
    compile: bool = False,
) -> Method:
    """Sparse coding: F(y) = min over z of ‖D z - y‖² + λ ‖z‖₁, the columns of D of length one.

    The sparsity of z, which a unit column cannot buy off, prevents collapse. Codes are
    `method.energy.posterior(None, y).atoms[0]`.

    Args:
        atoms: the first columns of D, (k, dim), such as k different data.
        weight: λ.
        nonnegative: whether z >= 0 as well.
        steps: the most proximal-gradient steps of a code.
        tolerance: where they stop, see `Proximal`.
        compile: compile the steps, for many batches of one shape.

    Source: Olshausen, Field 1996; Beck, Teboulle 2009.
    """
    penalty = L1(weight, nonnegative=nonnegative)
    energy = Reconstruction(Dictionary(atoms), prior=penalty, takes_x=False)
    start = torch.zeros(1, len(atoms), dtype=atoms.dtype, device=atoms.device)
    infer = Proximal(start, steps=steps, tolerance=tolerance, compile=compile)
    return Method(FreeEnergy(energy, infer), Regularized())
