"""The exact z of a linear decoder."""

import torch
from torch import nn

from ebmlab._events import require_vectors
from ebmlab._precise import precise
from ebmlab.energies import Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.inference._atoms import one_atom
from ebmlab.types import Rng, Tree

__all__ = ["Projected"]


class Projected(Inference):
    """The z of least ‖W z + b - y‖²: z = W⁺ (y - b), the shortest where there are several.

    Wᵀ (y - b) where the columns of W are orthonormal. z carries its gradient.

    Raises:
        ConfigurationError: the energy is no `Reconstruction` of vectors by a linear decoder of z
            alone in squared distance without a prior.

    Example:
        >>> from ebmlab import FreeEnergy
        >>> decoder = nn.Linear(1, 2, bias=False)
        >>> decoder.weight.data = torch.tensor([[2.0], [0.0]])
        >>> free = FreeEnergy(Reconstruction(decoder, takes_x=False), Projected())
        >>> free(None, torch.tensor([[4.0, 3.0]])).detach()
        tensor([9.])

    Source: Penrose 1956.
    """

    bound: Bound = "exact"
    point = True

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The projection of each datum, in coordinates along W."""
        decoder = _linear_decoder(energy)
        y = require_vectors("y", y, decoder.out_features, "the decoder")
        offset = y if decoder.bias is None else y - decoder.bias
        # There is no pseudoinverse in half precision.
        z = precise(offset) @ torch.linalg.pinv(precise(decoder.weight)).mT
        return one_atom(z.to(y.dtype))


def _linear_decoder(energy: Energy) -> nn.Linear:
    if isinstance(energy, Reconstruction) and energy.prior is None and not energy.takes_x:
        distance, decoder = energy.distance, energy.decoder
        plain = isinstance(distance, SquaredDistance) and distance.ndim == 1
        if plain and isinstance(decoder, nn.Linear):
            return decoder
    raise ConfigurationError(
        "Projected needs Reconstruction(nn.Linear(…), takes_x=False) in squared distance, without "
        f"a prior; got {type(energy).__name__}; use LevenbergMarquardt or LBFGS for others"
    )
