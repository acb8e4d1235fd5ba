"""Binary units that are coupled in pairs, each pair by a number of its own."""

from math import prod
from typing import Self

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_tensor
from ebmlab._kinds import require_a, require_floats
from ebmlab._precise import precise
from ebmlab.energies._discrete.lattices import Ising
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Rng, Tree

__all__ = ["Pairwise"]


class Pairwise(Energy):
    """E(y) = -½ sᵀJs - bᵀs = -Σ_{i<j} J_ij s_i s_j - Σ b_i s_i, spins s = 2y - 1, y in {0, 1}.

    J is symmetric with an empty diagonal: its upper triangle is learned, so that each coupling is
    one number, and ∂E/∂y are exact differences. `Gibbs(Coloring(energy.colors))` samples it.

    Args:
        shape: of y: n, or the sides of a grid, as (h, w).

    Attributes:
        couplings: J_ij of i < j row by row, (n (n - 1) / 2), over sites in row order.
        fields: b, of the given shape.

    Raises:
        ConfigurationError: the shape has no sites.

    Example:
        >>> energy = Pairwise.of(Ising((3, 3), coupling=1.0))
        >>> energy(None, torch.ones(2, 3, 3)).detach(), len(energy.couplings)
        (tensor([-18., -18.]), 36)

    Source: Ising 1925; Ackley, Hinton, Sejnowski 1985, "A learning algorithm for Boltzmann
    machines".
    """

    shows = ("couplings", "fields")
    takes_x = False
    multilinear = True
    _upper: Tensor

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if not self.shape:
            raise ConfigurationError("shape is (); y has at least one dimension")
        require_counts(**{f"side {i} of shape": side for i, side in enumerate(self.shape)})
        self.y_ndim, sites = len(self.shape), prod(self.shape)
        self.couplings = nn.Parameter(torch.zeros(sites * (sites - 1) // 2))
        self.fields = nn.Parameter(torch.zeros(self.shape))
        self.register_buffer("_upper", torch.triu_indices(sites, sites, 1), persistent=False)

    @classmethod
    def of(cls, lattice: Ising) -> Self:
        """The same energies as those of a lattice, with all pairs free to be coupled."""
        lattice = require_a(Ising, "lattice", lattice, "Pairwise(shape) starts with no couplings")
        held = [*lattice.parameters(), *lattice.buffers(), torch.empty(())]
        like = next(t for t in held if t.is_floating_point())
        new = cls(lattice.shape).to(like)
        # The slope is -2 (Js + b): b where all spins are 0, and a row of J more where one is 1.
        spins = torch.eye(new.fields.numel() + 1).to(like)[:, 1:].reshape(-1, *new.shape)
        local = -0.5 * lattice.value_and_grad(None, (spins + 1) / 2)[1].flatten(1)
        rows, columns = new._upper
        with torch.no_grad():
            new.fields.copy_(local[0].reshape(new.shape))
            new.couplings.copy_((local[1:] - local[0])[rows, columns])
        return new

    @property
    def bonds(self) -> Tensor:
        """J (n, n), symmetric, in float32 or better."""
        sites, values = self.fields.numel(), precise(self.couplings)
        upper = values.new_zeros(sites, sites).index_put(tuple(self._upper), values)
        return upper + upper.mT

    @property
    def colors(self) -> tuple[Tensor, ...]:
        """Masks of y's shape of one site each, for `Coloring`."""
        sites = self.fields.numel()
        marks = torch.eye(sites, dtype=torch.bool, device=self.fields.device)
        return tuple(marks.reshape(sites, *self.shape))

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        return self._both(y)[0]

    def site_energies(self, x: Tree, y: Tensor) -> Tensor:
        """-2 (Js + b)."""
        return self._both(y)[1]

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            energy, grad = self._both(y)
            return energy, grad.to(y)

    def _both(self, y: Tree) -> tuple[Tensor, Tensor]:
        """Energies (*batch) and their slope, of y's shape."""
        y = require_floats("y", require_tensor("y", y))
        if y.shape[-len(self.shape) :] != self.shape:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but Pairwise is an energy of "
                f"(*batch, {', '.join(map(str, self.shape))})"
            )
        spins = (2 * precise(y) - 1).flatten(-len(self.shape))
        pull, fields = spins @ self.bonds, precise(self.fields).flatten()
        energy = -(spins * (0.5 * pull + fields)).sum(-1)
        return energy, (-2 * (pull + fields)).reshape(y.shape)
