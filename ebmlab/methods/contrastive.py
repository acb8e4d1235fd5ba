"""Recipes in which chosen negatives keep the energy up."""

from torch import Tensor, nn

from ebmlab.energies import (
    Cosine,
    Density,
    JointEmbedding,
    SquaredDistance,
)
from ebmlab.energy import Energy
from ebmlab.losses import InfoNCE, SquareSquare, difference
from ebmlab.negatives import InBatch, Noise, Replay
from ebmlab.networks import Projector
from ebmlab.objectives import Contrastive
from ebmlab.protocols import Method, Sampler

__all__ = ["igebm", "noise_contrastive", "siamese", "simclr"]


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
