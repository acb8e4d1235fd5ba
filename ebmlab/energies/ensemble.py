"""An ensemble: the mean of several energies, and how far they are from agreeing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.several import Several
from ebmlab.types import Rng, Tree

__all__ = ["Ensemble"]


class Ensemble(Several):
    """E(x, y) = (1/K) Σ_k E_k(x, y): members that were trained apart, averaged.

    exp(-E) is the geometric mean of the members' densities: it is high where all agree that it
    is, unlike their `Mixture`, which is high where one says so.

    Args:
        energies: K >= 2 members, of the same y; x and z go to those that take them.

    Raises:
        ConfigurationError: there are fewer than two.
        ShapeError: they differ in y_ndim.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> both = Ensemble(*(Gaussian(torch.full((1,), m), torch.eye(1)) for m in (-1.0, 1.0)))
        >>> y = torch.tensor([[0.0], [3.0]])
        >>> both(None, y), both.spread(None, y)
        (tensor([0.5000, 5.0000]), tensor([0.0000, 4.2426]))

    Source: Lakshminarayanan, Pritzel, Blundell 2017, arXiv:1612.01474.
    """

    def __init__(self, *energies: Energy) -> None:
        super().__init__(*energies)
        if len(energies) < 2:
            raise ConfigurationError("Ensemble has one member; expected at least two")

    def blend(self, values: Sequence[Tensor]) -> Tensor:
        """The mean of the members' energies."""
        return _stacked(values).mean(0)

    def blend_slopes(
        self, energies: Sequence[Tensor], slopes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The means of the members' energies and slopes."""
        return self.blend(energies), torch.stack(tuple(slopes)).mean(0)

    def spread(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """Standard deviation of the members' energies at y, (*batch): large where they guess.

        Offsets of the members count. Where training leaves them free (contrastive losses and
        score matching do), level the members first: `E_k + Constant(-mean of E_k on data)`.
        """
        return _stacked(self.values(x, y, z, rng)).std(0)


def _stacked(energies: Sequence[Tensor]) -> Tensor:
    return torch.stack(torch.broadcast_tensors(*energies))
