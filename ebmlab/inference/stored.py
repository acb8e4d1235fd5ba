"""z kept for each datum, found by its number."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmlab._checks import require_index, require_positive
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.inference._atoms import data_batch
from ebmlab.protocols import Stepped
from ebmlab.types import Rng, Tree

__all__ = ["Stored"]


class Stored(Inference, Stepped):
    """z = table[x], where x is the number of the datum: learned with the model, no encoder.

    Gradients of the energy move the rows of the batch. (Optimizers with momentum move the others
    along.) After each optimizer step every row is put back into the ball ‖z‖ <= radius. For data
    without a number, infer z by a solver over the same energy.

    Args:
        table: the first z, (n, *event); becomes a Parameter.
        radius: of the ball, or None for no bound.

    Raises:
        ShapeError: the table has no rows of vectors, or x is None.
        DtypeError: x is not of whole numbers.
        ConfigurationError: a radius that is not positive, or a temperature other than 0.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> energy = Reconstruction(nn.Identity(), takes_x=False, x_ndim=0)
        >>> infer = Stored(torch.tensor([[0.0], [3.0]]), radius=1.0)
        >>> infer.step()
        >>> infer(energy, torch.tensor([1, 0]), torch.ones(2, 1)).atoms.flatten().tolist()
        [1.0, 0.0]

    Source: Bojanowski, Joulin, Lopez-Paz, Szlam 2018, arXiv:1707.05776.
    """

    bound: ClassVar[Bound] = "upper"
    point: ClassVar[bool] = True
    takes_x: ClassVar[bool] = True

    def __init__(self, table: Tensor, *, radius: float | None = None) -> None:
        super().__init__()
        if table.ndim < 2 or table.numel() == 0:
            raise ShapeError(f"table has shape {tuple(table.shape)}; (n, *event) is due")
        if radius is not None:
            require_positive("radius", radius)
        self.table = nn.Parameter(table.detach().clone())
        self.radius = radius

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The z stored for each x."""
        z = self.table[require_index("x", x)]
        batch = torch.broadcast_shapes(data_batch(energy, x, y), z.shape[: z.ndim - energy.z_ndim])
        zero = z.new_zeros(batch)
        atoms = z.expand(*batch, *z.shape[z.ndim - energy.z_ndim :])[None]
        return Posterior(atoms, torch.ones_like(zero)[None], zero, zero)

    @torch.no_grad()
    def step(self) -> None:
        """Put every z back into the ball."""
        if self.radius is not None:
            rows = self.table.flatten(1)
            length = torch.linalg.vector_norm(rows, dim=1, keepdim=True) / self.radius
            rows /= length.clamp(min=1)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{tuple(self.table.shape)}, radius={self.radius}"
