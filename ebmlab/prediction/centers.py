"""Where an energy is 0: the centers of the balls {y : F(x, y) <= τ}."""

from typing import TypeGuard

import torch
from torch import Tensor, nn

from ebmlab._checks import leading_shape, over_batch, require_tensor
from ebmlab.energies import JointEmbedding, Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.inference._atoms import in_front
from ebmlab.prediction.decoded import decoder_of
from ebmlab.prediction.latents import possible
from ebmlab.types import Tree

__all__ = ["centers"]


@torch.no_grad()
def centers(energy: Energy, x: Tree) -> Tensor:
    """The g_k(x) (k, *batch, d) of an energy min over k of ‖g_k(x) - y‖², images laid flat.

    It is a `FreeEnergy` at temperature 0 over enumerated codes of a `Reconstruction` with squared
    distance and no prior; or ‖f(x) - y‖², a `JointEmbedding` that leaves y as it is.

    Raises:
        ConfigurationError: the energy is of another form.

    Example:
        >>> from ebmlab import methods
        >>> method = methods.latent_prediction(nn.Identity(), torch.eye(2), takes_x=False)
        >>> centers(method.energy, None)
        tensor([[1., 0.],
                [0., 1.]])
    """
    y = _decoded(energy, x)
    if y is None or not isinstance(energy.y_ndim, int):
        raise ConfigurationError(
            f"{type(energy).__name__}: {{y : F <= τ}} is a union of balls only for F = min over "
            "codes z of ‖g(x, z) - y‖² (Enumerate, temperature 0, SquaredDistance, no prior), or "
            "‖f(x) - y‖²; use low_energy_volume"
        )
    return y.reshape(*y.shape[: y.ndim - energy.y_ndim], -1)


def _decoded(energy: Energy, x: Tree) -> Tensor | None:
    if _leaves_y(energy) and isinstance(energy.head, SquaredDistance):
        return over_batch(energy.online, (require_tensor("x", x), energy.x_event))[None]
    if not isinstance(energy, FreeEnergy) or energy.temperature != 0:
        return None
    decode = decoder_of(energy.energy)
    if decode is None or not isinstance(energy.infer, Enumerate) or not _squared(energy.energy):
        return None
    batch = leading_shape("x", x, energy.x_ndim) if energy.takes_x else torch.Size()
    return decode(x, in_front(possible(energy.infer), batch))


def _leaves_y(energy: Energy) -> TypeGuard[JointEmbedding]:
    return isinstance(energy, JointEmbedding) and isinstance(energy.target, nn.Identity)


def _squared(energy: Energy) -> bool:
    inner = energy.head if _leaves_y(energy) else energy
    if not isinstance(inner, Reconstruction):
        return False
    return inner.prior is None and isinstance(inner.distance, SquaredDistance)
