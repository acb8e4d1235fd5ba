"""`Form`: what an energy may tell of its form to those who can use it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from torch import Tensor

from ebmlab._checks import Ndim
from ebmlab._distances import nearest_rows, own_distances
from ebmlab._events import require_alike
from ebmlab.errors import ConfigurationError
from ebmlab.types import Decode, Tree

if TYPE_CHECKING:
    from ebmlab.energy import Energy
    from ebmlab.kernels.chain import Slope

__all__ = ["Form", "Priors"]

Priors = list[tuple[float | Tensor, "Energy"]]


class Form:
    """What solvers, predictions and pictures may know of E(x, y, z); nothing by default.

    Attributes:
        squares: True where E is ‖y - decoding()(x, z)‖², and nothing else.
        multilinear: True where E is linear in each entry of y, or in each one-hot vector of it,
            so that ∂E/∂y are exact differences.
    """

    y_ndim: Ndim
    takes_x: bool
    squares: bool = False
    multilinear: bool = False

    def decoding(self) -> Decode | None:
        """The function (x, z) -> y that y is compared with, z None where there is none; or None.

        Where the energy compares with logits, it gives the probabilities that they stand for.
        """
        return None

    def encode(self, y: Tree) -> Tensor:
        """What stands for y where there is no encoder: z inferred, see `FreeEnergy`."""
        raise ConfigurationError(
            f"{type(self).__name__} has no z to encode y by: pass Method(…, encoder=f)"
        )

    def in_kernel(self) -> "Slope | None":
        """∂E/∂y of an energy of y alone as a kernel computes it; None where none is written."""
        return None

    def lowest(self, x: Tree, y: Tree, atoms: Tensor) -> tuple[Tensor, Tensor] | None:
        """Which of the z in atoms (k, *event) is lowest, and how low: (*batch) both.

        The energy has its graph. None where all must be tried: it is no plain square of z and y.
        """
        decode = None if self.takes_x or not self.squares else self.decoding()
        if decode is None or not isinstance(self.y_ndim, int):
            return None
        values, y = require_alike(decode(None, atoms), y, self.y_ndim)
        batch = y.shape[: y.ndim - self.y_ndim]
        rows, values = y.reshape(batch.numel(), -1), values.reshape(len(values), -1)
        number = nearest_rows(rows, values)
        return number.reshape(batch), own_distances(rows, values, number).reshape(batch)

    def split(self, kind: Callable[["Energy"], bool]) -> tuple[Self, Priors]:
        """The energy without its priors of one kind, and these: energies of z, with weights."""
        return self, []

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor | None:
        """Residuals r (*batch, m) with E = ‖r‖²; None where E is no sum of squares."""
        return None

    def affine(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """W (m, dim) and t (*batch, m) with E = ‖W z - t‖²; None where E is not of this form."""
        return None
