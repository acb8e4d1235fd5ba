"""z kept for each datum, found by its number."""

import torch
from torch import Tensor, nn

from ebmlab._checks import leaves, require_index, require_positive
from ebmlab._parts import single_ndim
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import data_batch, one_atom
from ebmlab.inference._solvers.descent import Descent
from ebmlab.protocols import Stepped
from ebmlab.types import Potential, Rng, Tree

__all__ = ["Stored"]


class Stored(Inference, Stepped):
    """z = table[x], where x is the number of the datum: learned with the model, no encoder.

    Gradients of the energy move the rows of the batch. (Optimizers with momentum move the others
    along.) After each optimizer step every row is put back into the ball ‖z‖ <= radius. `encode`
    finds z for data without a number.

    Args:
        table: the first z, (n, *event); becomes a Parameter.
        radius: of the ball, > 0, or None for no bound.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> energy = Reconstruction(nn.Identity(), takes_x=False, x_ndim=0)
        >>> infer = Stored(torch.tensor([[0.0], [3.0]]), radius=1.0)
        >>> infer.step()
        >>> infer(energy, torch.tensor([1, 0]), torch.ones(2, 1)).atoms.flatten().tolist()
        [1.0, 0.0]

    Source: Bojanowski, Joulin, Lopez-Paz, Szlam 2018, arXiv:1707.05776.
    """

    shows = ("table", "radius")
    point = True
    takes_x = True

    def __init__(self, table: Tensor, *, radius: float | None = None) -> None:
        super().__init__()
        if table.ndim < 2 or table.numel() == 0:
            raise ShapeError(f"table has shape {tuple(table.shape)}; expected (n, *event)")
        if radius is not None:
            require_positive("radius", radius)
        self.table = nn.Parameter(table.detach().clone())
        self.radius = radius

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The z stored for each x."""
        z = self.table[require_index("x", x)]
        lead = z.ndim - single_ndim(energy)
        batch = torch.broadcast_shapes(data_batch(energy, x, y), z.shape[:lead])
        return one_atom(z.expand(*batch, *z.shape[lead:]), single_ndim(energy))

    def encode(self, energy: Energy, y: Tree) -> Tensor:
        """The z in the ball of lowest energy for data (n, *event) without a number, from 0 on."""
        start = self.table.new_zeros(len(leaves(y)[0]), *self.table.shape[1:])
        u = Potential(lambda z: energy(None, y, self._inside(z)))
        return self._inside(Descent(steps=100).minimize(u, start).argmin)

    @torch.no_grad()
    def step(self) -> None:
        """Put every z back into the ball."""
        self.table.copy_(self._inside(self.table))

    def _inside(self, z: Tensor) -> Tensor:
        """Every row in the ball, those outside on its surface."""
        if self.radius is None:
            return z
        length = torch.linalg.vector_norm(z.flatten(1), dim=1) / self.radius
        return z / length.clamp(min=1).reshape(-1, *[1] * (z.ndim - 1))
