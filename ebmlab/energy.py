"""`Energy`: one scalar E(x, y, z)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor

from ebmlab._checks import (
    Ndim,
    common_batch,
    leading_shape,
    leaves,
    require_counts,
    require_one_kind,
    require_same_kind,
    require_tensor,
)
from ebmlab._clamped import Clamped, Parts, require_free
from ebmlab._derived import Flagged
from ebmlab._events import facing
from ebmlab._form import Form
from ebmlab._kinds import REFUSALS, require_floats, retell
from ebmlab._precise import FULL, precise
from ebmlab._randomness import replayed
from ebmlab._shown import Shown
from ebmlab._signatures import Passed, own_kind, signature
from ebmlab._slopes import slope
from ebmlab.codes import Codes
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.rest import Rest, masked
from ebmlab.types import Posterior, Potential, Rng, Tree

__all__ = ["Energy"]

_NDIMS = frozenset(("x_ndim", "y_ndim", "z_ndim"))
_PASSED: Passed[tuple[torch.Size, torch.Size]] = Passed()


class Energy(Flagged, Form, Shown, ABC):
    """How badly x, y and z fit together: E(x, y, z), low where they are compatible.

    A subclass writes `forward` and, where they differ from the defaults, the class attributes.
    Everything before the event dimensions is batch and broadcasts, so that
    `energy(x[:, None], y[None])` is the matrix of all pairs. Energies come in float32 or better.

    Attributes:
        x_ndim, y_ndim, z_ndim: event dimensions: 1 vectors, 3 images, 0 tokens or labels. A tuple
            where x is a tuple of tensors of different kinds; None in it marks what has no batch.
            z of several parts, such as a code and an angle, is a tuple with a number for each.
        takes_x: False where E does not depend on x, which is None or only lends its batch.
        takes_z: True where a latent z is needed.
        stochastic: True where `forward` needs `rng`; so are energies that hold such a part.
        couples: True where the energy of a datum depends on the others of its batch; likewise.

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
    z_ndim: Ndim = 1
    takes_x: bool = True
    takes_z: bool = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _NDIMS:
            whole = not isinstance(value, tuple)
            for part in (value,) if whole else value:
                if whole or part is not None:
                    require_counts(0, **{name: part})
        super().__setattr__(name, value)

    @abstractmethod
    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Energies (*batch). Energies that are `stochastic` also take a keyword `rng`."""

    def __call__(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """Check what arrives, call `forward`, and check that one energy per datum comes back."""
        if torch.compiler.is_compiling():
            return self._evaluate(x, y, z, rng)
        if (z is not None) != self.takes_z:
            raise ConfigurationError(
                f"{type(self).__name__} needs z (takes_z): pass it, or reduce it with FreeEnergy"
                if z is None
                else f"{type(self).__name__} has no z (takes_z is False), but one was given"
            )
        batch, expected = self.check(x, y, z)
        try:
            out = self._evaluate(x, y, z, rng)
        except REFUSALS as error:
            retell(error, type(self).__name__, x=x, y=y, z=z)
        if not isinstance(out, Tensor) or out.shape != expected:
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ShapeError(
                f"{type(self).__name__} returned {got} for the batch {tuple(expected)}: an energy "
                "is one number per datum, reduced over the event (.squeeze(-1) mends [B, 1])"
            )
        if out.dtype not in FULL:
            out = precise(require_floats(f"the energy of {type(self).__name__}", out))
        return out if out.shape == batch else out.expand(batch)

    def check(self, x: Tree, y: Tree, z: Tree = None) -> tuple[torch.Size, torch.Size]:
        """Raise unless x, y and z fit together and to this energy.

        Returns:
            The batch shape of the energies, and that of what `forward` looks at (without x where
            the energy does not take it).
        """
        kinds = self.x_ndim, self.y_ndim, self.z_ndim
        key = signature(x, y, z), kinds, self.takes_x, own_kind(self)
        found = _PASSED.get(key)
        if found is None:
            found = self._checked({"x": x, "y": y, "z": z}, kinds)
            # Whether single and half precision may meet, autocast decides anew each time.
            return found if _mixed(x, y, z) else _PASSED.keep(key, found)
        return found

    def _checked(
        self, named: dict[str, Tree], kinds: tuple[Ndim, ...]
    ) -> tuple[torch.Size, torch.Size]:
        """What `check` says; it depends on nothing that is not in its key."""
        shapes = {
            name: leading_shape(name, tree, ndim)
            for (name, tree), ndim in zip(named.items(), kinds, strict=True)
            if tree is not None
        }
        batch = common_batch(shapes)
        if batch and shapes.get("z") == ():
            raise ShapeError(
                f"z has shape {tuple(leaves(named['z'])[0].shape)} and no batch, the others have "
                f"{tuple(batch)}; z is (*batch, *event) with {self.z_ndim} event dimensions: "
                "z[None] shares one z"
            )
        if not self.takes_x:
            del named["x"]
            shapes.pop("x", None)
        require_same_kind(named)
        require_one_kind(self, named)
        return batch, common_batch(shapes)

    def _evaluate(self, x: Tree, y: Tree, z: Tree, rng: Rng) -> Tensor:
        if not self.stochastic:
            return super().__call__(x, y, z)
        if rng is None:
            raise ConfigurationError(f"{type(self).__name__} draws z: pass rng=torch.Generator()")
        return super().__call__(x, y, z, rng=rng)

    @overload
    def given(
        self, x: Tree = None, *, y: Tree = None, z: Parts = None, rng: Rng = None
    ) -> Potential: ...

    @overload
    def given(
        self, x: Tree = None, *, y: Tensor, mask: Tensor, z: Parts = None, rng: Rng = None
    ) -> Rest: ...

    def given(
        self,
        x: Tree = None,
        *,
        y: Tree = None,
        mask: Tensor | None = None,
        z: Parts = None,
        rng: Rng = None,
    ) -> Potential:
        """Clamp what is known and get a `Potential` of the rest: of y, or of z when y is given.

        Clamped tensors have a batch of 1, or one row per chain; x and y may also have none. A
        stochastic energy replays `rng`'s present state at each call, so that the potential is a
        function. With a mask (*event) of bool, y is known where it is True, and a `Rest` of the
        other entries (chains, m) is returned, with `take(y)` and `fill(free)`. Of a z of several
        parts all but one are clamped: given(x, y=y, z=(code, None)) is a potential of the second.

        Example:
            >>> from ebmlab import FunctionEnergy
            >>> energy = FunctionEnergy(lambda x, y: (x - y).square().sum(-1), ("x", "y"))
            >>> energy.given(torch.ones(2))(torch.zeros(5, 2))
            tensor([2., 2., 2., 2., 2.])
        """
        if mask is not None:
            return masked(self.given(x, z=z, rng=rng), y, mask, self.y_ndim)
        require_free(self, y, z)
        replay = replayed(rng, type(self).__name__) if self.stochastic else None
        clamped = Clamped(self, x, y, z, replay)
        if y is not None:
            return Potential(clamped, None, self)
        return Potential(clamped, clamped.value_and_grad, self, self.in_kernel)

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """E(x, y, z) and ∂E/∂y, both detached: autograd's, or written by hand in a subclass.

        Chains call it once per step. y has the batch of the energies here: nothing broadcasts to
        it.
        """
        energy, grad = slope(lambda free: self(x, free, z, rng=rng), y)
        return energy.detach(), grad

    def site_energies(self, x: Tree, y: Tensor) -> Tensor | None:
        """What each value of each site of a discrete y costs given all others, with a graph.

        Of binary y, E(y with y_i = 1) - E(y with y_i = 0); of one-hot y, E(y with site i in state
        k) up to a constant of the site: minus these are the logits of its conditional.

        Returns:
            (b, *event), y's shape; None where every change must be evaluated by itself.
        """
        if not self.multilinear:
            return None
        return slope(lambda free: self(x, free), y, create_graph=True)[1]

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """E(x, v) of every v in y (m, *event): (*batch, m); (m,) where x plays no part.

        Where z is given, E(x, y, v) of every v in z (m, *event), for each datum of x and y. What
        is known is encoded once, and so is each value. An energy that has the energies of all
        values in one pass, as a classifier has of its labels, writes this method too.

        Example:
            >>> from ebmlab.energies import Clusters, SquaredDistance
            >>> SquaredDistance().at_each(torch.zeros(4, 3), torch.eye(3)).shape
            torch.Size([4, 3])
            >>> Clusters(torch.eye(3)).at_each(None, torch.zeros(4, 3), torch.arange(2)).shape
            torch.Size([4, 2])
        """
        if z is not None:
            values, known = require_tensor("z", z), {"y": (y, self.y_ndim)}
            known |= {"x": (x, self.x_ndim)} if self.takes_x else {}
            lead = max(len(leading_shape(name, *each)) for name, each in known.items())
            front = values.reshape(len(values), *[1] * lead, *values.shape[1:])
            return self(x, y, front, rng=rng).movedim(0, -1)
        values = require_tensor("y", y)
        codes = self.codes(x, values)
        if codes.head is self:
            return self(*facing(x if self.takes_x else None, values, self.x_ndim), rng=rng)
        pairs = ((hx, require_tensor("y", hv)) for hx, hv in codes.each())
        return torch.stack([codes.head.at_each(hx, hv, rng=rng) for hx, hv in pairs]).mean(0)

    def for_each_x(self, y: Tree, *, rng: Rng = None) -> Tensor | None:
        """E(v, y) of every x = v that there is, (*batch, k); None where they are not listed.

        Where they are, E(None, y) = -log Σ_v exp(-E(v, y)): x = None sums x out, also of sums,
        weights and temperatures of such energies.
        """
        return None

    def codes(self, x: Tree, y: Tree) -> Codes:
        """Encode once: the head, the codes of all views, and which views meet; here E is the head.

        energy(x, y, z) is codes(x, y).energies(z).mean(0).
        """
        return Codes(self, (x,), (y,))

    def embed(self, x: Tree, y: Tree) -> tuple["Energy", Tree, Tree]:
        """(head, hx, hy) of `codes`, with head(hx, hy) = E(x, y); views are stacked in front."""
        codes = self.codes(x, y)
        return codes.head, *codes.stacked()

    def apart(self, codes: Codes) -> Codes:
        """Codes under this head, each worked on by itself as far as the head does that."""
        return codes

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Move state that no gradient moves (centers, a codebook), after the optimizer's step.

        Called on a head, with detached codes as `forward` sees them.

        Args:
            x: codes; of several views (others, views, *batch, *event), see `Codes.groups`.
            y: likewise (1, views, *batch, *event).
            q: gives q(z | x, y), inferred at most once, to an energy whose z is inferred: the
                M-step sets what has a closed form given it.

        Source: Dempster, Laird, Rubin 1977.
        """
        return

    @property
    def still(self) -> bool:
        """Whether `update` does nothing, so that nobody need prepare codes for it."""
        return type(self).update is Energy.update

    def __add__(self, other: "Energy") -> "Energy":
        """Product of experts: exp(-(E1 + E2))."""
        from ebmlab import algebra

        return algebra.Sum(self, other)

    def __neg__(self) -> "Energy":
        """Not E: -E is low where E is high; seldom a density by itself, as nothing holds y."""
        return self * -1.0

    def __sub__(self, other: "Energy") -> "Energy":
        """Likely under the first and not under the second: exp(-E1) / exp(-E2).

        It can be normalized where E1 rises faster than E2, as E1 - 0.5 * E2 does of two energies
        that rise alike; E + s * (E_x - E) is guidance by x with strength s.

        Source: Du, Li, Mordatch 2020, arXiv:2004.06030; Ho, Salimans 2022, arXiv:2207.12598.
        """
        return self + -other

    def __mul__(self, factor: float | Tensor) -> "Energy":
        """Weigh an energy."""
        from ebmlab import algebra

        return algebra.Scaled(self, factor)

    __rmul__ = __mul__

    def __truediv__(self, temperature: float | Tensor) -> "Energy":
        """Temper: E / T; T may be a Parameter."""
        from ebmlab import algebra

        return algebra.Tempered(self, temperature)


def _mixed(*trees: Tree) -> bool:
    kinds = {t.dtype for tree in trees for t in leaves(tree) if t.is_floating_point()}
    return len(kinds) > 1
