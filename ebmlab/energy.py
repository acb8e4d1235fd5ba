"""`Energy`: one scalar E(x, y, z), and the algebra that makes new energies of old ones."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab._checks import (
    Ndim,
    common_batch,
    leading_shape,
    require_one_kind,
    require_positive,
    require_same_kind,
)
from ebmlab._randomness import replayed
from ebmlab._slopes import slope
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Posterior, Potential, Tree

__all__ = ["Energy", "Scaled", "Sum", "Tempered"]


class Energy(nn.Module, ABC):
    """How badly x, y and z fit together: E(x, y, z), low where they are compatible.

    A subclass writes `forward` and, where they differ from the defaults, the class attributes.
    Everything before the event dimensions is batch and broadcasts, so that
    `energy(x[:, None], y[None])` is the matrix of all pairs.

    Attributes:
        x_ndim, y_ndim, z_ndim: event dimensions: 1 vectors, 3 images, 0 tokens or labels. A tuple
            where x is a tuple of tensors of different kinds; None in it marks what has no batch.
        takes_x: False where E does not depend on x: x may be None, or lends its batch only.
        takes_z: True where a latent z is needed.
        stochastic: True where `forward` needs `rng`.
        couples: True where the energy of a datum depends on the others of its batch.
        refits: True where `refit` does something.

    Raises:
        ShapeError: batches do not broadcast, are empty, or the energy is not one number per datum.
        DtypeError, DeviceError: tensors of different precision or on different devices meet.
        ConfigurationError: z or rng is missing, or z is given to an energy that has none.

    Example:
        >>> class Quadratic(Energy):
        ...     def forward(self, x, y, z=None):
        ...         return (x - y).square().sum(-1)
        >>> Quadratic()(torch.zeros(2, 1, 3), torch.ones(1, 4, 3)).shape
        torch.Size([2, 4])

    Source: LeCun, Chopra, Hadsell, Ranzato, Huang 2006, "A tutorial on energy-based learning".
    """

    x_ndim: Ndim = 1
    y_ndim: Ndim = 1
    z_ndim: int = 1
    takes_x: bool = True
    takes_z: bool = False
    stochastic: bool = False
    couples: bool = False
    refits: bool = False

    @abstractmethod
    def forward(self, x: Tree, y: Tree, z: Tensor | None = None) -> Tensor:
        """Energies (*batch). Energies that are `stochastic` also take a keyword `rng`."""

    def __call__(
        self, x: Tree, y: Tree, z: Tensor | None = None, *, rng: torch.Generator | None = None
    ) -> Tensor:
        """Check what arrives, call `forward`, and check that one energy per datum comes back."""
        if torch.compiler.is_compiling():
            return self._evaluate(x, y, z, rng)
        if (z is not None) != self.takes_z:
            raise ConfigurationError(
                f"{type(self).__name__} needs z (takes_z): pass it, or reduce it with FreeEnergy"
                if z is None
                else f"{type(self).__name__} has no z (takes_z is False), but one was given"
            )
        batch, due = self.check(x, y, z)
        out = self._evaluate(x, y, z, rng)
        if not isinstance(out, Tensor) or out.shape != due:
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ShapeError(
                f"{type(self).__name__} returned {got} for the batch {tuple(due)}: an energy is "
                "one number per datum, reduced over event dimensions (.squeeze(-1) mends [B, 1])"
            )
        return out if out.shape == batch else out.expand(batch)

    def check(self, x: Tree, y: Tree, z: Tensor | None = None) -> tuple[torch.Size, torch.Size]:
        """Raise unless x, y and z fit together and to this energy.

        Returns:
            The batch shape of the energies, and that of what `forward` looks at (without x where
            the energy does not take it).
        """
        named: dict[str, Tree] = {"x": x, "y": y, "z": z}
        shapes = {
            name: leading_shape(name, tree, ndim)
            for (name, tree), ndim in zip(
                named.items(), (self.x_ndim, self.y_ndim, self.z_ndim), strict=True
            )
            if tree is not None
        }
        batch = common_batch(shapes)
        if z is not None and batch and not shapes["z"]:
            raise ShapeError(
                f"z has shape {tuple(z.shape)} and no batch, the others have {tuple(batch)}; "
                f"z is (*batch, *event) with {self.z_ndim} event dimensions: z[None] shares one z"
            )
        if not self.takes_x:
            del named["x"]
            shapes.pop("x", None)
        require_same_kind(named)
        require_one_kind(self, named)
        return batch, common_batch(shapes)

    def _evaluate(self, x: Tree, y: Tree, z: Tensor | None, rng: torch.Generator | None) -> Tensor:
        if not self.stochastic:
            return super().__call__(x, y, z)
        if rng is None:
            raise ConfigurationError(f"{type(self).__name__} draws z: pass rng=torch.Generator()")
        return super().__call__(x, y, z, rng=rng)

    def given(
        self,
        x: Tree = None,
        *,
        y: Tree = None,
        z: Tensor | None = None,
        rng: torch.Generator | None = None,
    ) -> Potential:
        """Clamp what is known and get a `Potential` of the rest: of y, or of z when y is given.

        Clamped tensors have a batch of 1, or one row per chain; x and y may also have none. A
        stochastic energy replays `rng`'s present state at each call, so that the potential is a
        function.

        Example:
            >>> from ebmlab import FunctionEnergy
            >>> energy = FunctionEnergy(lambda x, y: (x - y).square().sum(-1), ("x", "y"))
            >>> energy.given(torch.ones(2))(torch.zeros(5, 2))
            tensor([2., 2., 2., 2., 2.])
        """
        if y is not None and (z is not None or not self.takes_z):
            raise ConfigurationError(
                f"{type(self).__name__}.given was handed everything: leave y, or a latent z, free"
            )
        replay = replayed(rng, type(self).__name__) if self.stochastic else lambda: None
        if y is None:
            return Potential(
                lambda free: self(x, free, z, rng=replay()),
                lambda free: self.value_and_grad(x, free, z, rng=replay()),
                self,
            )
        return Potential(lambda free: self(x, y, free, rng=replay()), origin=self)

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tensor | None = None, *, rng: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """E(x, y, z) and ∂E/∂y, both detached: autograd's, or written by hand in a subclass.

        Chains call it once per step. y has the batch of the energies here: nothing broadcasts to
        it.
        """
        energy, grad = slope(lambda free: self(x, free, z, rng=rng), y)
        return energy.detach(), grad

    def embed(self, x: Tree, y: Tree) -> tuple["Energy", Tree, Tree]:
        """Encode once: (head, hx, hy) with head(hx, hy) = E(x, y); by default (self, x, y)."""
        return self, x, y

    def split(self, kind: Callable[["Energy"], bool]) -> tuple["Energy", list["Weighted"]]:
        """The energy without its priors of one kind, and these: energies of z, with weights."""
        return self, []

    def residuals(self, x: Tree, y: Tree, z: Tensor | None = None) -> Tensor | None:
        """Residuals r (*batch, m) with E = ‖r‖²; None where E is no sum of squares."""
        return None

    def linear(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """W (m, dim) and t (*batch, m) with E = ‖W z - t‖²; None where E is not of this form."""
        return None

    def update(self, x: Tree, y: Tree) -> None:
        """Move state that no gradient moves (center, codebook), after the optimizer's step."""
        return

    def refit(self, x: Tree, y: Tree, q: Posterior) -> None:
        """The M-step: set what has a closed form given q(z | x, y); `FreeEnergy.update` calls it.

        Source: Dempster, Laird, Rubin 1977.
        """
        return

    def __add__(self, other: "Energy") -> "Sum":
        """Product of experts: exp(-(E1 + E2))."""
        return Sum(self, other)

    def __mul__(self, factor: float | Tensor) -> "Scaled":
        """Weigh an energy."""
        return Scaled(self, factor)

    __rmul__ = __mul__

    def __truediv__(self, temperature: float | Tensor) -> "Tempered":
        """Temper: E / T; T may be a Parameter."""
        return Tempered(self, temperature)


Weighted = tuple[float | Tensor, Energy]


class _Weighted(Energy):
    """One other energy times a number: with its shapes and its needs.

    Subclasses are made of (energy, number), and keep the number under a name of their own; a
    tensor that is no Parameter becomes a buffer: moved and saved.
    """

    def __init__(self, energy: Energy, name: str, value: float | Tensor) -> None:
        super().__init__()
        self.energy, self.held = energy, name
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            self.register_buffer(name, value)
        else:
            setattr(self, name, value)
        self.x_ndim, self.y_ndim, self.z_ndim = energy.x_ndim, energy.y_ndim, energy.z_ndim
        self.takes_x, self.takes_z = energy.takes_x, energy.takes_z
        self.stochastic, self.couples, self.refits = (
            energy.stochastic,
            energy.couples,
            energy.refits,
        )

    @property
    @abstractmethod
    def weight(self) -> float | Tensor:
        """What the base is multiplied by."""

    def over(self, energy: Energy) -> "_Weighted":
        """The same weight on another energy."""
        return type(self)(energy, getattr(self, self.held))  # pyright: ignore[reportCallIssue]

    def forward(
        self, x: Tree, y: Tree, z: Tensor | None = None, rng: torch.Generator | None = None
    ) -> Tensor:
        """The weighted energy."""
        return self.weight * self.energy(x, y, z, rng=rng)

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tensor | None = None, *, rng: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Those of the base, weighted."""
        weight = self.weight.detach() if isinstance(self.weight, Tensor) else self.weight
        energy, grad = self.energy.value_and_grad(x, y, z, rng=rng)
        return weight * energy, weight * grad

    def embed(self, x: Tree, y: Tree) -> tuple[Energy, Tree, Tree]:
        """Embed the base; the weight moves to its head."""
        head, hx, hy = self.energy.embed(x, y)
        return (self if head is self.energy else self.over(head)), hx, hy

    def split(self, kind: Callable[[Energy], bool]) -> tuple[Energy, list[Weighted]]:
        """Split the base; the weight moves into both parts."""
        rest, priors = self.energy.split(kind)
        return self.over(rest), [(self.weight * weight, prior) for weight, prior in priors]

    def residuals(self, x: Tree, y: Tree, z: Tensor | None = None) -> Tensor | None:
        """Those of the base by the root of the weight; None where that is negative."""
        r = self.energy.residuals(x, y, z)
        return None if r is None or self.weight < 0 else self._root(r) * r

    def linear(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """W and t of the base by the root of the weight; None where that is negative."""
        found = self.energy.linear(x, y)
        if found is None or self.weight < 0:
            return None
        return self._root(found[0]) * found[0], self._root(found[1]) * found[1]

    def _root(self, like: Tensor) -> Tensor:
        return torch.as_tensor(self.weight).to(like) ** 0.5

    def update(self, x: Tree, y: Tree) -> None:
        """Update the base."""
        self.energy.update(x, y)

    def refit(self, x: Tree, y: Tree, q: Posterior) -> None:
        """Refit the base."""
        self.energy.refit(x, y, q)


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
        self.stochastic = any(term.stochastic for term in flat)
        self.couples = any(term.couples for term in flat)
        self.refits = any(term.refits for term in flat)
        self.x_ndim = next((t.x_ndim for t in flat if t.takes_x), 1)
        self.z_ndim = next((t.z_ndim for t in flat if t.takes_z), 1)

    def forward(
        self, x: Tree, y: Tree, z: Tensor | None = None, rng: torch.Generator | None = None
    ) -> Tensor:
        """The sum of the terms' energies."""
        values = [
            term(x if term.takes_x else None, y, z if term.takes_z else None, rng=rng)
            for term in _experts(self)
        ]
        return sum(values[1:], values[0])

    def split(self, kind: Callable[[Energy], bool]) -> tuple[Energy, list[Weighted]]:
        """Split every term."""
        parts = [term.split(kind) for term in _experts(self)]
        return Sum(*(rest for rest, _ in parts)), [prior for _, found in parts for prior in found]

    def residuals(self, x: Tree, y: Tree, z: Tensor | None = None) -> Tensor | None:
        """Those of all terms side by side."""
        found = [
            term.residuals(x if term.takes_x else None, y, z if term.takes_z else None)
            for term in _experts(self)
        ]
        parts = [r for r in found if r is not None]
        return _beside(parts) if len(parts) == len(found) else None

    def linear(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """W of all terms below each other, t side by side."""
        found = [term.linear(x if term.takes_x else None, y) for term in _experts(self)]
        parts = [part for part in found if part is not None]
        if len(parts) < len(found):
            return None
        return torch.cat([weight for weight, _ in parts]), _beside([t for _, t in parts])

    def update(self, x: Tree, y: Tree) -> None:
        """Update every term."""
        for term in _experts(self):
            term.update(x, y)

    def refit(self, x: Tree, y: Tree, q: Posterior) -> None:
        """Refit every term."""
        for term in _experts(self):
            term.refit(x, y, q)


def _beside(parts: list[Tensor]) -> Tensor:
    """Tensors (*batch, m) along their last dimension, whatever batches broadcast."""
    batch = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return torch.cat([part.expand(*batch, -1) for part in parts], -1)
