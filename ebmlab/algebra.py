"""What makes new energies of old ones: sums, weights and temperatures."""

from abc import abstractmethod
from collections.abc import Callable
from functools import reduce
from typing import Self

import torch
from torch import Tensor, nn

from ebmlab._checks import require_positive
from ebmlab._form import Priors
from ebmlab._held import hold
from ebmlab.codes import Codes
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
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
        return self.weight * self.energy(x, y, z, rng=rng)

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """Those of the base, weighted."""
        weight = self.weight.detach() if isinstance(self.weight, Tensor) else self.weight
        energy, grad = self.energy.value_and_grad(x, y, z, rng=rng)
        return weight * energy, weight * grad

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
    if not isinstance(energy, Sum):
        return [energy]
    return [term for term in energy.terms if isinstance(term, Energy)]


class Sum(Energy):
    """E1 + E2 + …: a product of experts. Terms that do not take x, or z, are not handed it."""

    def __init__(self, *terms: Energy) -> None:
        super().__init__()
        flat = [part for term in terms for part in _experts(term)]
        self.terms = nn.ModuleList(flat)
        self.y_ndim = flat[0].y_ndim
        if any(term.y_ndim != self.y_ndim for term in flat):
            listed = ", ".join(f"{type(t).__name__} {t.y_ndim}" for t in flat)
            raise ShapeError(f"the terms of a sum differ in y_ndim: {listed}")
        self.takes_x = any(term.takes_x for term in flat)
        self.takes_z = any(term.takes_z for term in flat)
        self.x_ndim = next((t.x_ndim for t in flat if t.takes_x), 1)
        self.z_ndim = next((t.z_ndim for t in flat if t.takes_z), 1)

    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """The sum of the terms' energies."""
        values = [
            term(x if term.takes_x else None, y, z if term.takes_z else None, rng=rng)
            for term in _experts(self)
        ]
        return sum(values[1:], values[0])

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """The sums of the terms' own, so that what one of them writes by hand is not lost."""
        found = [
            term.value_and_grad(
                x if term.takes_x else None, y, z if term.takes_z else None, rng=rng
            )
            for term in _experts(self)
        ]
        energies, grads = zip(*found, strict=True)
        return reduce(torch.add, energies), reduce(torch.add, grads)

    def split(self, kind: Callable[[Energy], bool]) -> tuple[Energy, Priors]:
        """Split every term."""
        parts = [term.split(kind) for term in _experts(self)]
        return Sum(*(rest for rest, _ in parts)), [prior for _, found in parts for prior in found]

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor | None:
        """Those of all terms side by side."""
        found = [
            term.residuals(x if term.takes_x else None, y, z if term.takes_z else None)
            for term in _experts(self)
        ]
        parts = [r for r in found if r is not None]
        return _beside(parts) if len(parts) == len(found) else None

    def affine(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """W of all terms below each other, t side by side."""
        found = [term.affine(x if term.takes_x else None, y) for term in _experts(self)]
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        return torch.cat([weight for weight, _ in parts]), _beside([t for _, t in parts])

    def decoding(self) -> Decode | None:
        """That of the one term that decodes."""
        found = [decode for term in _experts(self) if (decode := term.decoding()) is not None]
        return found[0] if len(found) == 1 else None

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Update every term."""
        for term in _experts(self):
            term.update(x if term.takes_x else None, y, q)


def _beside(parts: list[Tensor]) -> Tensor:
    """Tensors (*batch, m) along their last dimension, whatever batches broadcast."""
    batch = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return torch.cat([part.expand(*batch, -1) for part in parts], -1)
