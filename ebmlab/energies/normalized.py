"""An energy whose normalization is a sum over listed values."""

from typing import ClassVar

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._precise import SINGLE, Precise
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Rng, Tree

__all__ = ["Normalized"]


class Normalized(Energy, Precise):
    """E(x, y) + log Z(x) = -log p(y | x), Z(x) = Σ_v exp(-E(x, v)) over all values v of y.

    Raw energies of different x stand at heights of their own; these are nats, and compare.

    Args:
        energy: E, without z.
        values: all that y can be, (m, *event), each once; or all that one site of it can be,
            where sites are independent given x, as tokens (m,) are of `Categorical`.

    Raises:
        ConfigurationError: the energy has a z.

    Example:
        >>> import torch
        >>> from ebmlab.energies import RBM
        >>> from ebmlab.partition import binary_states
        >>> states = binary_states(4)
        >>> p = (-Normalized(RBM(4, 2), states)(None, states)).exp()
        >>> bool((p.sum() - 1).abs() < 1e-5)
        True

    Source: LeCun et al. 2006, section 2.2.4.
    """

    floors: ClassVar = {"values": SINGLE}
    values: Tensor

    def __init__(self, energy: Energy, values: Tensor) -> None:
        super().__init__()
        if energy.takes_z:
            raise ConfigurationError(
                f"{type(energy).__name__} has a z; reduce it first: FreeEnergy(energy, infer)"
            )
        self.energy = energy
        self.x_ndim, self.y_ndim, self.takes_x = energy.x_ndim, energy.y_ndim, energy.takes_x
        self.register_buffer("values", values.detach().clone(), persistent=False)

    def log_z(self, x: Tree, *, rng: Rng = None) -> Tensor:
        """log Z(x), (*batch); () where x plays no part."""
        each = (-self.energy.at_each(x, self.values, rng=rng)).logsumexp(-1)
        sites = self.y_ndim - self.values.ndim + 1 if isinstance(self.y_ndim, int) else 0
        return each.flatten(each.ndim - sites).sum(-1) if sites > 0 else each

    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """E(x, y) + log Z(x)."""
        return self.energy(x, y, rng=rng) + self.log_z(x, rng=rng)

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """Those of the base and log Z, from one pass where both are of values of one kind."""
        values = require_tensor("y", y)
        if values.ndim != self.values.ndim:
            own = self.energy.at_each(x, values, rng=rng)
            return own + self.log_z(x, rng=rng)[..., None]
        both = torch.cat([values, self.values.to(values)])
        each = self.energy.at_each(x, both, rng=rng)
        own, known = each.split([len(values), len(self.values)], -1)
        return own + (-known).logsumexp(-1, keepdim=True)
