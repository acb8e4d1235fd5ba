"""Recipes whose two encoders differ: dynamics that keep codes from collapsing."""

from collections.abc import Callable

from torch import Tensor, nn

from ebmlab.energies import JointEmbedding, Predicted
from ebmlab.methods.cards import card
from ebmlab.networks import BatchNorm, Projector
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.teachers import EMA

__all__ = ["byol", "simsiam"]


@card(energy="-cos(p(f(x)), sg f(y))", collapse="predictor p, stopped gradient")
def simsiam(
    encoder: nn.Module, dim: int, *, projection: int = 2048, bottleneck: int = 512, x_ndim: int = 1
) -> Method:
    """SimSiam: predict each view's code from the other's, the target's gradient stopped.

    The asymmetry of predictor and stop-gradient prevents collapse (dynamics, not descent).
    x and y are tuples of views. The projector's three layers are all as wide as the codes and
    normalized over the batch.

    Source: Chen, He 2021, arXiv:2011.10566.
    """
    last = BatchNorm(projection, affine=False)
    f = nn.Sequential(encoder, Projector(dim, projection, projection, layers=3, last=last))
    head = Predicted(Projector(projection, bottleneck, projection))
    return Method(JointEmbedding(f, f, head, x_ndim=x_ndim), Regularized(), encoder=encoder)


@card(energy="-cos(p(f(x)), f'(y))", collapse="slow teacher f' and predictor p")
def byol(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 256,
    hidden: int = 4096,
    decay: float | Callable[[Tensor], float | Tensor] = 0.99,
    x_ndim: int = 1,
) -> Method:
    """BYOL: predict the code that a slow copy of the encoder gives to the other view.

    The moving average, and the predictor before it, prevent collapse (dynamics, not descent).
    x and y are tuples of views; the sum of 2 - 2 cos over both ways is 4 + 4 E. The decay is
    0.99 for 100 epochs or 0.996 for 1000, and rises in the paper, as in
    `teachers.rising_cosine(0.99, steps)`.
    The last layers of the authors' projector and predictor have no biases.

    Source: Grill et al. 2020, arXiv:2006.07733.
    """
    f = nn.Sequential(encoder, Projector(dim, hidden, projection))
    head = Predicted(Projector(projection, hidden, projection))
    energy = JointEmbedding(f, EMA(f, decay), head, x_ndim=x_ndim)
    return Method(energy, Regularized(energy_weight=4.0), encoder=encoder)
