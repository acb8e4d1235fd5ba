"""Recipes in which a functional of the population of codes prevents collapse."""

from torch import nn

from ebmlab.energies import (
    JointEmbedding,
    SquaredDistance,
)
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.regularizers import VICReg

__all__ = ["vicreg"]


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
