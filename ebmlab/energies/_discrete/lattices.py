"""Lattices of spins: Ising and Potts on a rectangular grid."""

from abc import abstractmethod

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_tensor
from ebmlab._held import hold
from ebmlab._kinds import require_floats
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Tree

__all__ = ["Ising", "Potts"]

Grid = tuple[int, int]
Number = float | Tensor


class _Lattice(Energy):
    """E = -Σ_⟨ij⟩ J_ij ⟨s_i, s_j⟩ - Σ_i ⟨b_i, s_i⟩ with vectors s_i on the sites of a grid.

    A subclass says how y becomes spins.
    """

    shows = ("shape", "periodic")
    takes_x = False
    multilinear = True
    coupling: Number
    field: Number
    _masks: Tensor

    def __init__(
        self, shape: Grid, states: tuple[int, ...], coupling: Number, field: Number, periodic: bool
    ) -> None:
        super().__init__()
        if len(shape) != 2 or min(shape) < 1:
            raise ConfigurationError(f"shape is {shape}; a grid is (height, width), both >= 1")
        self.shape, self.event, self.periodic = tuple(shape), (*shape, *states), periodic
        if isinstance(coupling, Tensor) and coupling.shape not in ((), (2, *shape)):
            raise ShapeError(
                f"coupling has shape {tuple(coupling.shape)}; it must be one number, or "
                f"{(2, *shape)}: of each site with the next below, and with the next to its right"
            )
        if isinstance(field, Tensor) and not _expands(field, self.event):
            raise ShapeError(
                f"field has shape {tuple(field.shape)}; it must broadcast to {self.event}"
            )
        hold(self, "coupling", coupling)
        hold(self, "field", field)
        self.register_buffer("_masks", self._painted(), persistent=False)

    @property
    def colors(self) -> tuple[Tensor, ...]:
        """Masks (h, w) of sites without bonds among them, on the energy's device, for `Coloring`.

        A checkerboard of two; three where a periodic side is odd.
        """
        return tuple(self._masks)

    def _painted(self) -> Tensor:
        rows, columns = map(self._along, self.shape)
        count = 1 + max(int(rows.max()), int(columns.max()), 1)
        return torch.arange(count)[:, None, None] == (rows[:, None] + columns) % count

    def _along(self, size: int) -> Tensor:
        """Colors along one side, which differ by 1 (of 2, or of 3) from site to site."""
        color = torch.arange(size) % 2
        if self.periodic and size > 2 and size % 2:
            color[-1] = 2
        return color

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        y, ndim = require_tensor("y", y), len(self.event)
        if y.shape[-ndim:] != self.event:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but {type(self).__name__} is an energy of "
                f"(*batch, {', '.join(map(str, self.event))})"
            )
        spins = self._spins(require_floats("y", y))
        bonds = sum(
            self._strength(side) * _bonds(spins, side - ndim, self.periodic) for side in (0, 1)
        )
        return -(bonds + self.field * spins).sum(tuple(range(-ndim, 0)))

    def _strength(self, side: int) -> Number:
        """J of the bonds along a side, one number or one for each site."""
        if not isinstance(self.coupling, Tensor) or self.coupling.ndim == 0:
            return self.coupling
        return self.coupling[side].reshape(*self.shape, *[1] * (len(self.event) - 2))

    @abstractmethod
    def _spins(self, y: Tensor) -> Tensor:
        """The spins of y, of its shape."""


def _bonds(spins: Tensor, dim: int, periodic: bool) -> Tensor:
    """⟨s, s of the next site along a side⟩, 0 where there is none; a ring of two has one bond."""
    product = spins * spins.roll(-1, dim)
    size = spins.shape[dim]
    if periodic and size > 2:
        return product
    inside = torch.arange(size, device=spins.device) < size - 1
    return product * inside.reshape(-1, *[1] * (-dim - 1))


def _expands(field: Tensor, event: tuple[int, ...]) -> bool:
    pairs = zip(reversed(field.shape), reversed(event), strict=False)
    return field.ndim <= len(event) and all(a in (1, b) for a, b in pairs)


class Ising(_Lattice):
    """E(y) = -J Σ_⟨ij⟩ s_i s_j - Σ_i b_i s_i with spins s = 2y - 1, y in {0, 1} of shape (h, w).

    ⟨ij⟩ are the pairs of neighbors, each once. E is linear in each y_i between its two values, so
    that gradients are exact differences. J > 0 aligns the spins; on the infinite grid they order
    at J > ½ log(1 + √2) ≈ 0.441.

    Args:
        shape: (h, w).
        coupling: J, a number, or a tensor or Parameter: of one, or of (2, h, w), a number for
            the bond of each site with the next below it, and with the next to its right.
        field: b, a number, or a tensor or Parameter that broadcasts to (h, w).
        periodic: whether opposite edges touch; a side of one or two sites has no further bond.

    Example:
        >>> Ising((3, 3), coupling=1.0)(None, torch.ones(2, 3, 3))
        tensor([-18., -18.])

    Source: Ising 1925; Onsager 1944.
    """

    y_ndim = 2

    def __init__(
        self, shape: Grid, coupling: Number, field: Number = 0.0, periodic: bool = True
    ) -> None:
        super().__init__(shape, (), coupling, field, periodic)

    def _spins(self, y: Tensor) -> Tensor:
        return 2 * y - 1


class Potts(_Lattice):
    """E(y) = -J Σ_⟨ij⟩ 1[s_i = s_j] - Σ_i b_i(s_i), states s_i one-hot in y of shape (h, w, k).

    ⟨ij⟩ are the pairs of neighbors, each once. E is linear in the vector of each site, so that
    gradients are exact differences. Two states are an Ising model of coupling J / 2.

    Args:
        shape, coupling, field, periodic: as in `Ising`, b broadcasting to (h, w, k).
        states: k >= 2.

    Example:
        >>> y = torch.nn.functional.one_hot(torch.tensor([[0, 1], [1, 1]]), 3).float()
        >>> Potts((2, 2), states=3, coupling=1.0)(None, y)
        tensor(-2.)

    Source: Potts 1952.
    """

    y_ndim = 3

    def __init__(
        self,
        shape: Grid,
        states: int,
        coupling: Number,
        field: Number = 0.0,
        periodic: bool = True,
    ) -> None:
        require_counts(2, states=states)
        super().__init__(shape, (states,), coupling, field, periodic)

    def _spins(self, y: Tensor) -> Tensor:
        return y
