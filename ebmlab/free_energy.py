"""`FreeEnergy`: E(x, y, z) with z inferred and gone, an energy of x and y again."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache, partial
from typing import Literal, final

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, leaves, require_non_negative
from ebmlab._derived import Flagged
from ebmlab._kinds import told
from ebmlab._parts import Held, joined, marginal, require_parts, without
from ebmlab._shown import Shown
from ebmlab.codes import Codes
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Decode, Posterior, Rng, Tree

__all__ = ["Bound", "FreeEnergy", "Inference", "Posterior", "combined"]

Bound = Literal["exact", "upper", "lower", "gradient"]


def combined(*bounds: Bound) -> Bound:
    """What a value is that is reduced several times.

    Raises:
        ConfigurationError: one bounds from above and another from below.
    """
    kinds: set[Bound] = set(bounds)
    if "gradient" in kinds:
        return "gradient"
    if {"upper", "lower"} <= kinds:
        raise ConfigurationError(
            f"bounds are {bounds}: reduced by both, the value would be no bound at all"
        )
    looser: list[Bound] = [bound for bound in bounds if bound != "exact"]
    return looser[0] if looser else "exact"


class Inference(Flagged, Shown, ABC):
    """A way to choose z: from an energy and (x, y) to a `Posterior`.

    A subclass writes `choose`. Inside a `FreeEnergy` it sees the head and codes.

    Attributes:
        bound: what FreeEnergy's value is under this inference: "exact", an "upper" (as at any one
            z) or "lower" bound of the free energy, or right in its "gradient" only.
        point: True where it finds one z, which has no entropy: the temperature must be 0.
        stochastic: True where temperatures above 0 draw random numbers.
        couples: True where z of a datum depends on the others of its batch.
        takes_x: True where z is looked up by x, even if the energy does not take x.
        z_parts: how many parts its z has; 1 where z is one tensor.

    Raises:
        ConfigurationError: T < 0 or NaN, or not 0 where one z is found.
    """

    bound: Bound = "upper"
    point: bool = False
    takes_x: bool = False
    z_parts: int = 1

    @abstractmethod
    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """z for each datum of the batch, at a temperature that is allowed."""

    @final
    def __call__(
        self, energy: Energy, x: Tree, y: Tree, temperature: float = 0.0, *, rng: Rng = None
    ) -> Posterior:
        """Infer z for each datum of the batch; temperature 0 minimizes."""
        who = self._admit(energy, temperature)
        return told(lambda: self.choose(energy, x, y, temperature, rng), who, x=x, y=y)

    @final
    def value(
        self, energy: Energy, x: Tree, y: Tree, temperature: float = 0.0, *, rng: Rng = None
    ) -> Tensor:
        """F(x, y) = E_q[E(x, y, z)] + T * KL(q || prior), shape (*batch)."""
        who = self._admit(energy, temperature)
        return told(lambda: self.reduce(energy, x, y, temperature, rng), who, x=x, y=y)

    def _admit(self, energy: Energy, temperature: float) -> str:
        """Raise unless it can infer z there; its name."""
        who = type(self).__name__
        require_non_negative("temperature", temperature)
        if energy.takes_z:
            require_parts(energy, self.z_parts, who, None)
        if self.point and temperature != 0:
            raise ConfigurationError(
                f"{who} finds one z, which has no entropy: temperature must be 0, not "
                f"{temperature}; use Enumerate or Amortized for temperatures above 0"
            )
        return who

    def reduce(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Tensor:
        """F by the posterior; one that has it in closed form writes this method too."""
        q = self.choose(energy, x, y, temperature, rng)
        energies = energy(x, y, q.atoms, rng=rng) if q.energies is None else q.energies
        counted = energies.masked_fill(q.weights == 0, 0.0)
        return (q.weights * counted).sum(0) + temperature * q.information

    def encode(self, energy: Energy, y: Tree) -> Tensor:
        """What stands for y where there is no encoder, (*batch, …): the z of lowest energy."""
        z = leaves(self(energy, None, y).atoms)
        if len(z) == 1:
            return z[0][0]
        batch = leading_shape("y", y, energy.y_ndim)
        return torch.cat([part[0].reshape(*batch, -1) for part in z], -1)

    def capacity(self) -> float:
        """The most nats that z can carry: log K of K codes; infinite where no number is known."""
        return torch.inf

    def possible(self) -> Tree:
        """The values of z (k, *event), the most probable first, where they are listed."""
        return None

    @property
    def still(self) -> bool:
        """Whether `update` does nothing."""
        return type(self).update is Inference.update

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        """Move state that no gradient moves (a center, prior weights), after the optimizer's step.

        Args:
            x: codes, as in `Energy.update`.
            y: likewise.
            q: gives the posterior, inferred at most once.
        """
        return


class FreeEnergy(Energy):
    """z inferred: F(x, y) = E_q[E(x, y, z)] + T * KL(q(z | x, y) || prior(z)).

    With the exact q this is -T log E_prior exp(-E / T), which tends to min_z E as T goes to 0. The
    gradient is that of the energy at the inferred z (envelope theorem). z is inferred under the
    energy's head, from codes, in training and outside it alike.

    Args:
        energy: an energy that takes z.
        infer: how z is chosen; of several parts all at once, as by `inference.Product`.
        temperature: T >= 0, in the units of the energy.
        part: None infers all of z. Where z has several parts, the number of the one that is
            inferred: the others stay, and F(x, y, z) is an energy of them, which another
            `FreeEnergy` can reduce in turn, at a temperature of its own.

    Raises:
        ConfigurationError: the energy has no z, or one of other parts than are inferred.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import Enumerate
        >>> energy = FunctionEnergy(lambda y, z: (y - z).square().sum(-1), variables=("y", "z"))
        >>> free = FreeEnergy(energy, Enumerate(torch.tensor([[-1.0], [1.0]])))
        >>> free(None, torch.tensor([[0.0], [1.5]]))
        tensor([1.0000, 0.2500])

    Source: Hinton, Zemel 1993; Neal, Hinton 1998; LeCun et al. 2006, section 7.
    """

    shows = ("temperature", "bound")

    def __init__(
        self,
        energy: Energy,
        infer: Inference,
        temperature: float = 0.0,
        *,
        part: int | None = None,
    ) -> None:
        super().__init__()
        require_non_negative("temperature", temperature)
        require_parts(energy, infer.z_parts, type(infer).__name__, part)
        self.energy, self.infer, self.temperature, self.part = energy, infer, temperature, part
        self.x_ndim, self.y_ndim = energy.x_ndim, energy.y_ndim
        if part is not None and isinstance(energy.z_ndim, tuple):
            self.takes_z, self.z_ndim = True, without(energy.z_ndim, part)
        self.takes_x = energy.takes_x or infer.takes_x
        self.stochastic = energy.stochastic or (infer.stochastic and temperature > 0)

    @property
    def bound(self) -> Bound:
        """What the value is: exact, an upper or lower bound, or right in its gradient only."""
        inner = self.energy.bound if isinstance(self.energy, FreeEnergy) else "exact"
        return combined(inner, self.infer.bound)

    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """F(x, y), shape (*batch)."""
        codes = self.codes(x, y)
        if codes.head is not self:
            return codes.energies(z, rng=rng).mean(0)
        energy, y = self._open(self.energy, y, z)
        return self.infer.value(energy, x, y, self.temperature, rng=rng)

    def _open(self, energy: Energy, y: Tree, z: Tree) -> tuple[Energy, Tree]:
        """The energy of what is inferred, and y with the parts of z that are held."""
        if self.part is None:
            return energy, y
        if len(leaves(z)) != (len(energy.z_ndim) if isinstance(energy.z_ndim, tuple) else 1) - 1:
            raise ConfigurationError(
                f"part {self.part} of z is inferred given the others, and {len(leaves(z))} came: "
                "pass z=…, or reduce them by another FreeEnergy"
            )
        return Held(energy, self.part, y), (*leaves(y), *leaves(z))

    def over(self, energy: Energy) -> "FreeEnergy":
        """The same reduction of another energy."""
        return FreeEnergy(energy, self.infer, self.temperature, part=self.part)

    def codes(self, x: Tree, y: Tree) -> Codes:
        """Those of the energy below; z is inferred under its head."""
        codes = self.energy.codes(x, y)
        if codes.head is self.energy:
            return codes.over(self)
        return codes.over(self.over(codes.head))

    def posterior(self, x: Tree, y: Tree, *, z: Tree = None, rng: Rng = None) -> Posterior:
        """q(z | x, y) as weighted atoms; of several views for the pairs (others, views, *batch).

        Where one part of z is inferred, z holds the others, and q is that of the part given them.

        Raises:
            ConfigurationError: views differ in their numbers or sizes, so that they have no one q.
        """
        self.check(x, y, z)
        codes = self.energy.codes(x, y)
        groups = codes.groups()
        if len(groups) > 1:
            raise ConfigurationError(
                f"x and y hold {len(codes.pairs)} pairs of views that do not go together, with a "
                "posterior each: pass one view of x and one of y"
            )
        hx, hy = groups[0]
        energy, hy = self._open(codes.head, hy, z)
        return self.infer(energy, hx, hy, self.temperature, rng=rng)

    def joined(self, q: Posterior, x: Tree, y: Tree, *, rng: Rng = None) -> Posterior:
        """q of the other parts of z and, given each of its atoms, of the part inferred here."""
        assert self.part is not None
        return joined(q, self.posterior(x, y, z=q.atoms, rng=rng), self.part)

    def encode(self, y: Tree) -> Tensor:
        """What stands for y, as the inference finds it at temperature 0."""
        if self.energy.takes_x:
            raise ConfigurationError(
                f"z of {type(self.energy).__name__} depends on x too: take posterior(x, y).atoms, "
                "or pass Method(…, encoder=f)"
            )
        return self.infer.encode(self.energy, y)

    def decoding(self) -> Decode | None:
        """The energy's."""
        return self.energy.decoding()

    @property
    def still(self) -> bool:
        """Whether both energy and inference are."""
        return self.energy.still and self.infer.still

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Update energy and inference; z is inferred, once, where one of them asks for it."""
        codes = self.codes(x, y)
        if codes.head is not self:
            codes.update()
            return
        if self.part is None:
            found = cache(partial(self.posterior, x, y))
        elif q is not None:
            found = cache(lambda: self.joined(q(), x, y))
        else:
            return
        with torch.no_grad():
            self.energy.update(x, y, found)
            own = found if self.part is None else cache(partial(_marginal, found, self.part))
            self.infer.update(x, y, own)


def _marginal(q: Callable[[], Posterior], part: int) -> Posterior:
    return marginal(q(), part)
