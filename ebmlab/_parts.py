"""z of several parts: some of them held, one of them free."""

import torch
from torch import Tensor

from ebmlab._checks import Ndim, leaves
from ebmlab._rows import mapped
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Posterior, Rng, Tree

__all__ = ["Held", "joined", "marginal", "require_parts", "single_ndim", "without"]


def require_parts(energy: Energy, parts: int, who: str, part: int | None) -> None:
    """Raise unless an inference of so many parts of z can infer an energy's z, or one part."""
    name = type(energy).__name__
    if not energy.takes_z:
        raise ConfigurationError(f"{name} has no z to infer (takes_z is False)")
    count = len(energy.z_ndim) if isinstance(energy.z_ndim, tuple) else 1
    if part is None and parts != count:
        raise ConfigurationError(
            f"z of {name} has {count} part(s), and {who} infers {parts}: pass Product(…) with an "
            "inference for each part, or FreeEnergy(…, part=i) to infer one of them"
        )
    if part is not None and (parts != 1 or count < 2 or not 0 <= part < count):
        raise ConfigurationError(
            f"part is {part}, but z of {name} has {count} part(s), and {who} infers {parts}; one "
            "of several is inferred, counted from 0"
        )


def merged(rest: Tree, own: Tensor, part: int) -> tuple[Tensor, ...]:
    """All parts of z: `own` at place `part` among the rest."""
    others = leaves(rest)
    return (*others[:part], own, *others[part:])


def without(ndim: tuple[int | None, ...], part: int) -> Ndim:
    """Event dimensions of all parts but one: a number where one part is left."""
    rest = (*ndim[:part], *ndim[part + 1 :])
    return rest[0] if len(rest) == 1 and rest[0] is not None else rest


class Held(Energy):
    """E as an energy of x, of (y, all parts of z but one), and of that part, which is free.

    Args:
        energy: takes z as a tuple.
        part: which of them is free.
        y: one tensor or a tuple, as those to come.
    """

    takes_z = True

    def __init__(self, energy: Energy, part: int, y: Tree) -> None:
        super().__init__()
        self.energy, self.part = energy, part
        self.single, self.count = isinstance(y, Tensor), len(leaves(y))
        self.x_ndim, self.takes_x = energy.x_ndim, energy.takes_x
        kinds = _listed(energy.z_ndim, 1)
        self.y_ndim = _listed(energy.y_ndim, self.count) + _listed(without(kinds, part), 1)
        self.z_ndim = kinds[part] or 0

    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """E(x, y, z) of the parts put together."""
        return self.energy(x, *self._whole(y, z), rng=rng)

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor | None:
        """Those of E."""
        return self.energy.residuals(x, *self._whole(y, z))

    def _whole(self, y: Tree, z: Tree) -> tuple[Tree, Tree]:
        """y by itself, and all of z."""
        known = leaves(y)
        own = known[0] if self.single else known[: self.count]
        return own, merged(known[self.count :], leaves(z)[0], self.part)


def _listed(ndim: Ndim, count: int) -> tuple[int | None, ...]:
    return ndim if isinstance(ndim, tuple) else (ndim,) * count


def single_ndim(energy: Energy) -> int:
    """The event dimensions of a z of one part."""
    if isinstance(energy.z_ndim, tuple):
        raise ConfigurationError(
            f"z of {type(energy).__name__} has {len(energy.z_ndim)} parts; one was expected"
        )
    return energy.z_ndim


def joined(q: Posterior, own: Posterior, part: int) -> Posterior:
    """q of the other parts of z, and q of one part given each of their atoms, as one posterior.

    `own` has the batch (k, *batch), k the atoms of q; its part stands at place `part`.
    """
    counts = (len(q.weights),) if q.counts is None else q.counts
    lead = len(own.information.shape)
    wide = (len(own.weights), *own.information.shape)

    def laid(t: Tensor) -> Tensor:
        """(own, others, *rest) with all atoms in front, the first part of z fastest."""
        apart = t.unflatten(1, counts[::-1]).movedim(0, len(counts) - part)
        return apart.flatten(0, len(counts))

    others = mapped(lambda t: laid(t.expand(*wide, *t.shape[lead:])), leaves(q.atoms))
    atoms = merged(others, laid(leaves(own.atoms)[0]), part)
    weights = q.weights * own.weights.expand(wide)
    left = own.residual.masked_fill(q.weights.expand(own.residual.shape) == 0, 0.0)
    return Posterior(
        atoms,
        laid(weights),
        q.information + (q.weights * own.information).sum(0),
        torch.maximum(q.residual, left.amax(0)),
        counts=(*counts[:part], wide[0], *counts[part:]),
    )


def marginal(q: Posterior, part: int) -> Posterior:
    """q of one part of z, whose atoms do not depend on the others."""
    assert q.counts is not None
    counts = q.counts[::-1]
    place = len(counts) - 1 - part
    others = [i for i in range(len(counts)) if i != place]
    weights = q.weights.unflatten(0, counts).sum(others)
    atoms = leaves(q.atoms)[part].unflatten(0, counts).movedim(place, len(counts) - 1)
    return q._replace(atoms=atoms[(0,) * len(others)], weights=weights, energies=None, counts=None)
