"""What energies that are made of several others share: a sum, a mixture, an ensemble."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from ebmlab._kinds import require_a
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.types import Posterior, Rng, Tree

__all__ = ["Several", "summed_out"]


def summed_out(energy: Energy, x: Tree, y: Tree, rng: Rng) -> Tensor | None:
    """-log Σ_v exp(-E(v, y)) where an energy that takes x is handed None and all x are known.

    What its parts give for x = None would be another number: c times a log of a sum is no log of
    the sum of powers.
    """
    each = energy.for_each_x(y, rng=rng) if x is None and energy.takes_x else None
    return None if each is None else -(-each).logsumexp(-1)


class Several(Energy):
    """Energies of one y; those that do not take x, or z, are not handed it.

    A subclass writes `blend`, what becomes of their energies, and `blend_slopes`; all of them are
    updated.

    Raises:
        ConfigurationError: there are none, or one is no energy.
        ShapeError: they differ in y_ndim.
    """

    def __init__(self, *terms: Energy) -> None:
        super().__init__()
        who = f"a term of {type(self).__name__}"
        found = [require_a(Energy, who, term, "FunctionEnergy(f)") for term in terms]
        if not found:
            raise ConfigurationError(f"{type(self).__name__} has no terms; expected at least one")
        self.terms = nn.ModuleList(found)
        self.y_ndim = found[0].y_ndim
        if any(term.y_ndim != self.y_ndim for term in found):
            listed = ", ".join(f"{type(t).__name__} {t.y_ndim}" for t in found)
            raise ShapeError(f"the terms of {type(self).__name__} differ in y_ndim: {listed}")
        self.takes_x = any(term.takes_x for term in found)
        self.takes_z = any(term.takes_z for term in found)
        self.x_ndim = next((t.x_ndim for t in found if t.takes_x), 1)
        self.z_ndim = next((t.z_ndim for t in found if t.takes_z), 1)

    @abstractmethod
    def blend(self, values: Sequence[Tensor]) -> Tensor:
        """The energy of those of the terms, whose batches broadcast."""

    @abstractmethod
    def blend_slopes(
        self, energies: Sequence[Tensor], slopes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The energy and its slope of those of the terms."""

    @final
    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """What `blend` makes of the terms' energies; x is summed out of the whole, not of them."""
        known = summed_out(self, x, y, rng)
        return self.blend(self.values(x, y, z, rng)) if known is None else known

    @final
    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """Made of the terms' own, so that what one of them writes by hand is not lost."""
        if x is None and self.takes_x:
            return super().value_and_grad(x, y, z, rng=rng)
        return self.blend_slopes(*zip(*self.slopes(x, y, z, rng), strict=True))

    def for_each_x(self, y: Tree, *, rng: Rng = None) -> Tensor | None:
        """Made of the terms' own; a term that does not take x is the same for all."""
        if not self.takes_x or self.takes_z:
            return None
        found = [
            term.for_each_x(y, rng=rng) if term.takes_x else term(None, y, rng=rng)[..., None]
            for term in self.each
        ]
        parts = [part for part in found if part is not None]
        return self.blend(parts) if len(parts) == len(found) else None

    @property
    def each(self) -> list[Energy]:
        """The terms, in their order."""
        return [term for term in self.terms if isinstance(term, Energy)]

    def handed(self, x: Tree, z: Tree = None) -> list[tuple[Energy, Tree, Tree]]:
        """Every term, with x and z where it takes them."""
        return [
            (term, x if term.takes_x else None, z if term.takes_z else None) for term in self.each
        ]

    def values(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> list[Tensor]:
        """The energies of every term; their batches broadcast."""
        return [term(own_x, y, own_z, rng=rng) for term, own_x, own_z in self.handed(x, z)]

    def slopes(
        self, x: Tree, y: Tensor, z: Tree = None, rng: Rng = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Energies and ∂E/∂y of every term, each by its own way; 0 of one that y does not enter.

        Raises:
            GradientError: no term depends on y.
        """
        handed = self.handed(x, z)
        if torch.compiler.is_compiling():
            return [term.value_and_grad(own_x, y, own_z) for term, own_x, own_z in handed]
        found: list[tuple[Tensor, Tensor]] = []
        flat: list[GradientError] = []
        for term, own_x, own_z in handed:
            try:
                found.append(term.value_and_grad(own_x, y, own_z, rng=rng))
            except GradientError as error:
                flat.append(error)
                found.append((term(own_x, y, own_z, rng=rng).detach(), torch.zeros_like(y)))
        if len(flat) == len(found):
            raise flat[0]
        return found

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Update every term."""
        for term, own_x, _ in self.handed(x):
            term.update(own_x, y, q)
