"""What makes new energies of old ones: sums, weights and temperatures."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._form import Priors
from ebmlab._held import hold
from ebmlab.codes import Codes
from ebmlab.energy import Energy
from ebmlab.several import Several, summed_out
from ebmlab.types import Decode, Posterior, Rng, Tree

__all__ = ["Scaled", "Sum", "Tempered"]


class _Weighted(Energy):
    """One other energy times a number: with its shapes and its needs.

    A subclass keeps the number under a name of its own; a tensor that is no Parameter becomes a
    buffer: moved and saved.
    """

    def __init__(self, energy: Energy, name: str, value: float | Tensor) -> None:
        super().__init__()
        self.energy, self.held = energy, name
        hold(self, name, value)
        self.x_ndim, self.y_ndim, self.z_ndim = energy.x_ndim, energy.y_ndim, energy.z_ndim
        self.takes_x, self.takes_z = energy.takes_x, energy.takes_z

    @property
    @abstractmethod
    def weight(self) -> float | Tensor:
        """What the base is multiplied by."""

    def over(self, energy: Energy) -> Self:
        """The same weight on another energy."""
        return type(self)(energy, getattr(self, self.held))  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """The weighted energy."""
        known = summed_out(self, x, y, rng)
        return self.weight * self.energy(x, y, z, rng=rng) if known is None else known

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """Those of the base, weighted."""
        if x is None and self.takes_x:
            return super().value_and_grad(x, y, z, rng=rng)
        weight = self.weight.detach() if isinstance(self.weight, Tensor) else self.weight
        energy, grad = self.energy.value_and_grad(x, y, z, rng=rng)
        return weight * energy, weight * grad

    def site_energies(self, x: Tree, y: Tensor) -> Tensor | None:
        """Those of the base, weighted."""
        found = self.energy.site_energies(x, y)
        return None if found is None else self.weight * found

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """Those of the base, weighted."""
        if x is None and self.takes_x:
            return super().at_each(x, y, z, rng=rng)
        return self.weight * self.energy.at_each(x, y, z, rng=rng)

    def for_each_x(self, y: Tree, *, rng: Rng = None) -> Tensor | None:
        """Those of the base, weighted."""
        found = self.energy.for_each_x(y, rng=rng)
        return None if found is None else self.weight * found

    def codes(self, x: Tree, y: Tree) -> Codes:
        """The base's; the weight moves to its head."""
        codes = self.energy.codes(x, y)
        return codes.over(self if codes.head is self.energy else self.over(codes.head))

    def apart(self, codes: Codes) -> Codes:
        """What the base does to each code by itself, done."""
        inner = codes.over(self.energy).apart()
        return codes if inner.head is self.energy else inner.over(self.over(inner.head))

    def split(self, kind: Callable[[Energy], bool]) -> tuple[Energy, Priors]:
        """Split the base; the weight moves into both parts."""
        rest, priors = self.energy.split(kind)
        return self.over(rest), [(self.weight * weight, prior) for weight, prior in priors]

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor | None:
        """Those of the base by the root of the weight; None where that is negative."""
        r = self.energy.residuals(x, y, z)
        return None if r is None or self.weight < 0 else self._root(r) * r

    def affine(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """W and t of the base by the root of the weight; None where that is negative."""
        found = self.energy.affine(x, y)
        if found is None or self.weight < 0:
            return None
        return self._root(found[0]) * found[0], self._root(found[1]) * found[1]

    def _root(self, like: Tensor) -> Tensor:
        return torch.as_tensor(self.weight).to(like) ** 0.5

    def decoding(self) -> Decode | None:
        """The base's."""
        return self.energy.decoding()

    def encode(self, y: Tree) -> Tensor:
        """Encode by the base: weights do not move its minimum."""
        return self.energy.encode(y)

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Update the base."""
        self.energy.update(x, y, q)


class Scaled(_Weighted):
    """c * E."""

    factor: float | Tensor

    def __init__(self, energy: Energy, factor: float | Tensor) -> None:
        super().__init__(energy, "factor", factor)

    @property
    def weight(self) -> float | Tensor:
        """The factor c."""
        return self.factor


class Tempered(_Weighted):
    """E / T, whose Gibbs distribution is exp(-E / T)."""

    temperature: float | Tensor

    def __init__(self, energy: Energy, temperature: float | Tensor) -> None:
        require_positive("temperature", temperature)
        super().__init__(energy, "temperature", temperature)

    @property
    def weight(self) -> float | Tensor:
        """The inverse temperature."""
        return 1 / self.temperature


def _experts(energy: Energy) -> list[Energy]:
    return energy.each if isinstance(energy, Sum) else [energy]


class Sum(Several):
    """E1 + E2 + …: a product of experts. Terms that do not take x, or z, are not handed it."""

    def __init__(self, *terms: Energy) -> None:
        super().__init__(*(part for term in terms for part in _experts(term)))

    def blend(self, values: Sequence[Tensor]) -> Tensor:
        """The sum of the terms' energies."""
        return sum(values[1:], values[0])

    def blend_slopes(
        self, energies: Sequence[Tensor], slopes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Both sums."""
        return self.blend(energies), self.blend(slopes)

    def site_energies(self, x: Tree, y: Tensor) -> Tensor | None:
        """Those of all terms together; None where one has none."""
        found = [term.site_energies(own_x, y) for term, own_x, _ in self.handed(x)]
        parts = [part for part in found if part is not None]
        return sum(parts[1:], parts[0]) if len(parts) == len(found) else None

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """The sums of the terms' energies; what does not take x, or z, is evaluated once."""
        if x is None and self.takes_x:
            return super().at_each(x, y, z, rng=rng)
        parts = [
            term(own_x, y, rng=rng)[..., None]
            if own_z is None and z is not None
            else term.at_each(own_x, y, own_z, rng=rng)
            for term, own_x, own_z in self.handed(x, z)
        ]
        return sum(parts[1:], parts[0])

    def split(self, kind: Callable[[Energy], bool]) -> tuple[Energy, Priors]:
        """Split every term."""
        parts = [term.split(kind) for term in self.each]
        return Sum(*(rest for rest, _ in parts)), [prior for _, found in parts for prior in found]

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor | None:
        """Those of all terms side by side."""
        found = [term.residuals(own_x, y, own_z) for term, own_x, own_z in self.handed(x, z)]
        parts = [r for r in found if r is not None]
        return _beside(parts) if len(parts) == len(found) else None

    def affine(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """W of all terms below each other, t side by side."""
        found = [term.affine(own_x, y) for term, own_x, _ in self.handed(x)]
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        return torch.cat([weight for weight, _ in parts]), _beside([t for _, t in parts])

    def decoding(self) -> Decode | None:
        """That of the one term that decodes."""
        found = [decode for term in self.each if (decode := term.decoding()) is not None]
        return found[0] if len(found) == 1 else None


def _beside(parts: list[Tensor]) -> Tensor:
    """Tensors (*batch, m) along their last dimension, whatever batches broadcast."""
    batch = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return torch.cat([part.expand(*batch, -1) for part in parts], -1)
