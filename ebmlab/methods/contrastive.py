"""Recipes in which chosen negatives keep the energy up."""

from collections.abc import Callable

from torch import Tensor, nn

from ebmlab.energies import Cosine, Density, JointEmbedding, NearestNeighbor, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.losses import InfoNCE, SquareSquare
from ebmlab.methods.cards import card
from ebmlab.negatives import InBatch, Noise, Queue
from ebmlab.networks import MLP, BatchNorm, Memory, Projector
from ebmlab.objectives import Contrastive
from ebmlab.protocols import Method
from ebmlab.teachers import EMA

__all__ = ["moco", "nnclr", "noise_contrastive", "siamese", "simclr"]


@card(energy="‖f(x) - f(y)‖²", objective="square-square, batch", collapse="negatives")
def siamese(encoder: nn.Module, margin: float = 1.0, *, x_ndim: int = 1) -> Method:
    """DrLIM: squared distance of codes; other pairs of the batch are pushed beyond a margin.

    The paper's energy is the distance itself; margins here are of its square.

    Source: Bromley et al. 1993; Hadsell, Chopra, LeCun 2006.
    """
    energy = JointEmbedding(encoder, encoder, SquaredDistance(), x_ndim=x_ndim)
    return Method(energy, Contrastive(SquareSquare(margin), InBatch()), encoder=encoder)


@card(energy="-cos(f(x), f(y))", objective="InfoNCE, both views", collapse="negatives")
def simclr(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 128,
    temperature: float = 0.5,
    x_ndim: int = 1,
) -> Method:
    """SimCLR: two views agree in cosine, against all other views of the batch (NT-Xent).

    x and y are tuples of views, `method((v1, v2), (v1, v2))`. The projector is the paper's; the
    authors' code also normalizes its last layer over the batch.

    Args beside those that recipes share:
        temperature: τ; 0.5 for small images, 0.1 for large ones.

    Source: Chen, Kornblith, Norouzi, Hinton 2020, arXiv:2002.05709.
    """
    f = nn.Sequential(encoder, Projector(dim, dim, projection))
    objective = Contrastive(InfoNCE(temperature), InBatch(both=True))
    return Method(JointEmbedding(f, f, Cosine(), x_ndim=x_ndim), objective, encoder=encoder)


@card(energy="-cos(f(x), f'(y))", objective="InfoNCE, queue", collapse="negatives")
def moco(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 128,
    memory: int = 65536,
    temperature: float = 0.2,
    decay: float | Callable[[Tensor], float | Tensor] = 0.999,
    seed: int = 0,
    x_ndim: int = 1,
) -> Method:
    """MoCo: one view agrees in cosine with a slow teacher's code of another, against past codes.

    x is one view and y another, or both are tuples of views. This is version 2; the first one has
    a linear head and τ = 0.07. The paper also shuffles batches between ranks before normalizing
    them.

    Args beside those that recipes share:
        memory: how many past codes of the teacher are negatives.
        decay: of the teacher.
        seed: of the memory's first codes.

    Source: He et al. 2020, arXiv:1911.05722; version 2, Chen et al. 2020, arXiv:2003.04297.
    """
    f = nn.Sequential(encoder, MLP(dim, projection, (dim,), nn.ReLU))
    energy = JointEmbedding(f, EMA(f, decay), Cosine(), x_ndim=x_ndim)
    objective = Contrastive(InfoNCE(temperature), Queue(memory, projection, seed))
    return Method(energy, objective, encoder=encoder)


@card(
    energy="-cos(p(f(x)), nearest(f(y)))", objective="InfoNCE in the batch", collapse="negatives"
)
def nnclr(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 256,
    hidden: int = 2048,
    bottleneck: int = 4096,
    memory: int = 98304,
    temperature: float = 0.1,
    seed: int = 0,
    x_ndim: int = 1,
) -> Method:
    """NNCLR: the nearest of past codes to one view's is predicted from the other view.

    x and y are tuples of views.

    Args beside those that recipes share:
        bottleneck: width of the predictor's hidden layer.
        memory: how many past codes there are to choose from.
        seed: of the memory's first codes.

    Source: Dwibedi et al. 2021, arXiv:2104.14548.
    """
    last = BatchNorm(projection)
    f = nn.Sequential(encoder, Projector(dim, hidden, projection, layers=3, last=last))
    predictor = Projector(projection, bottleneck, projection)
    head = NearestNeighbor(predictor, Memory(memory, projection, seed))
    objective = Contrastive(InfoNCE(temperature), InBatch())
    return Method(JointEmbedding(f, f, head, x_ndim=x_ndim), objective, encoder=encoder)


@card(energy="any E(x, y)", objective="InfoNCE, noise", collapse="negatives")
def noise_contrastive(energy: Energy, density: Density, k: int = 16) -> Method:
    """Tell the right y from k draws of a known density: E tends to -log p(y | x) + log q(y) + c.

    Source: Gutmann, Hyvärinen 2010; Ma, Collins 2018, arXiv:1809.01812.
    """
    return Method(energy, Contrastive(InfoNCE(), Noise(density, k)))
