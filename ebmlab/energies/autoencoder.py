"""How well a network copies y: the error of an autoencoder as an energy."""

from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import require_tensor
from ebmlab._kinds import require_a
from ebmlab.energies._codes.codes import SquaredDistance
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["Autoencoder"]


class Autoencoder(Energy):
    """E(y) = distance(g(f(y)), y): low where a code holds all of y; the critic of EBGAN.

    It is the free energy of `Reconstruction(g)` whose z an encoder gives, and has no z itself.
    Where the code is as wide as y, only an objective keeps it from copying everything.

    Args:
        encoder: f, (n, *event) -> (n, *code).
        decoder: g, from codes to something like y.
        distance: energy between decoded and observed; squared distance of vectors by default.
            Of images take `SquaredDistance(3)`.

    Example:
        >>> import torch
        >>> energy = Autoencoder(nn.Linear(2, 1), nn.Linear(1, 2))
        >>> energy(None, torch.zeros(4, 5, 2)).shape, energy.encode(torch.zeros(4, 2)).shape
        (torch.Size([4, 5]), torch.Size([4, 1]))

    Source: Zhao, Mathieu, LeCun 2016, arXiv:1609.03126.
    """

    takes_x = False

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, distance: Energy | None = None
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.distance = SquaredDistance() if distance is None else distance
        mend = "an energy of two tensors, as SquaredDistance()"
        ndim = require_a(int, "the distance's y_ndim", self.distance.y_ndim, mend)
        self.y_ndim = self.y_event = ndim

    def encode(self, y: Tree) -> Tensor:
        """The codes f(y), (*batch, *code)."""
        return over_batch(self.encoder, (require_tensor("y", y), self.y_event), names="y")

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """The distance of y from its copy."""
        y = require_tensor("y", y)
        return self.distance(self.copy(y), y)

    def copy(self, y: Tensor) -> Tensor:
        """g(f(y)), like y."""
        return over_batch(self._copied, (y, self.y_event), names="y")

    def _copied(self, y: Tensor) -> Tensor:
        return self.decoder(self.encoder(y))
