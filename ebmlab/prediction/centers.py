"""Where an energy is 0: the centers of the balls {y : F(x, y) <= τ}."""

from functools import partial

import torch
from torch import Tensor

from ebmlab._checks import leading_shape
from ebmlab._rows import mapped
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference._atoms import in_front
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
        >>> method = methods.latent_prediction(torch.nn.Identity(), torch.eye(2), takes_x=False)
        >>> centers(method.energy, None)
        tensor([[1., 0.],
                [0., 1.]])
    """
    decode, values = energy.decoding(), None
    free = isinstance(energy, FreeEnergy)
    if free and energy.temperature == 0:
        values = energy.infer.possible()
    told = energy.energy.squares and values is not None if free else energy.squares
    if decode is None or not told or not isinstance(energy.y_ndim, int):
        raise ConfigurationError(
            f"{type(energy).__name__}: {{y : F <= τ}} is a union of balls only for F = min over "
            "codes z of ‖g(x, z) - y‖² (Enumerate, temperature 0, SquaredDistance, no prior), or "
            "‖f(x) - y‖²; use low_energy_volume"
        )
    batch = leading_shape("x", x, energy.x_ndim) if energy.takes_x else torch.Size()
    z = None if values is None else mapped(partial(in_front, batch=batch), values)
    y = decode(x, z)[None] if z is None else decode(x, z)
    return y.reshape(*y.shape[: y.ndim - energy.y_ndim], -1)
