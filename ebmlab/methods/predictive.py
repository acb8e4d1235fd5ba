"""Recipes that predict y: one value of it, or one for each z."""

from torch import Tensor, nn

from ebmlab.energies import (
    JointEmbedding,
    Reconstruction,
    SquaredDistance,
)
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["joint_embedding", "latent_prediction", "regression"]


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
