"""An energy of x and y at one x: an energy of y alone."""

from torch import Tensor

from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Rng, Tree

__all__ = ["At"]


class At(Energy):
    """E(y) = energy(x₀, y): a slice that is an energy again, such as the prior at one noise level.

    Where `energy.given(x0)` is a function for samplers, this can be a term of other energies.

    Args:
        energy: E(x, y) without z.
        x: x₀, (*event) of energy's x; it is kept as a buffer.

    Example:
        >>> import torch
        >>> from ebmlab.energies import SquaredDistance
        >>> At(SquaredDistance(), torch.ones(2))(None, torch.zeros(3, 2))
        tensor([2., 2., 2.])
    """

    takes_x = False
    x: Tensor

    def __init__(self, energy: Energy, x: Tensor) -> None:
        super().__init__()
        if not energy.takes_x or energy.takes_z:
            raise ConfigurationError(
                f"{type(energy).__name__} has takes_x {energy.takes_x} and takes_z "
                f"{energy.takes_z}; At takes an energy of x and y alone"
            )
        self.energy = energy
        self.register_buffer("x", x)
        self.y_ndim = energy.y_ndim

    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """Energies (*batch)."""
        return self.energy(self.x, y, rng=rng)

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """Those of the energy."""
        return self.energy.value_and_grad(self.x, y, rng=rng)
