"""`FreeEnergy`: E(x, y, z) with z inferred and gone, an energy of x and y again."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Posterior, Tree

__all__ = ["Bound", "FreeEnergy", "Inference", "Posterior"]

Bound = Literal["exact", "upper", "lower", "gradient"]


class Inference(ABC):
    """A way to choose z: from an energy and (x, y) to a `Posterior`.

    Attributes:
        bound: what FreeEnergy's value is under this inference: "exact", an "upper" or "lower"
            bound of the free energy, or right in its "gradient" only.
        stochastic: True where temperatures above 0 draw random numbers.
        couples: True where z of a datum depends on the others of its batch.
        refits: True where `refit` does something.
        takes_x: True where z is looked up by x, even if the energy does not take x.
    """

    bound: ClassVar[Bound]
    stochastic: ClassVar[bool] = False
    couples: ClassVar[bool] = False
    refits: bool = False
    takes_x: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self,
        energy: Energy,
        x: Tree,
        y: Tree,
        temperature: float = 0.0,
        *,
        rng: torch.Generator | None = None,
    ) -> Posterior:
        """Infer z for each datum of the batch; temperature 0 minimizes."""

    def encode(self, energy: Energy, y: Tree) -> Tensor:
        """What stands for y where there is no encoder, (*batch, …): the z of lowest energy."""
        return self(energy, None, y).atoms[0]

    def update(self, x: Tree, y: Tree) -> None:
        """Move state that data alone move (a center, a queue), after the optimizer's step."""
        return

    def refit(self, x: Tree, y: Tree, q: Posterior) -> None:
        """Move the inference's own state (prior weights, a codebook) given its posterior."""
        return

    def require_point(self, temperature: float) -> None:
        """Raise where a point inference is asked for a distribution."""
        if temperature != 0:
            raise ConfigurationError(
                f"{type(self).__name__} finds one z, which has no entropy: temperature must be 0, "
                f"not {temperature}; use Enumerate or Amortized for temperatures above 0"
            )


class FreeEnergy(Energy):
    """z inferred: F(x, y) = E_q[E(x, y, z)] + T * KL(q(z | x, y) || prior(z)).

    With the exact q this is -T log E_prior exp(-E / T), which tends to min_z E as T goes to 0. The
    gradient is that of the energy at the inferred z (envelope theorem).

    Args:
        energy: an energy that takes z.
        infer: how z is chosen.
        temperature: T >= 0, in the units of the energy.

    Raises:
        ConfigurationError: the energy has no z, or T < 0 or NaN.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import Enumerate
        >>> energy = FunctionEnergy(lambda y, z: (y - z).square().sum(-1), variables=("y", "z"))
        >>> free = FreeEnergy(energy, Enumerate(torch.tensor([[-1.0], [1.0]])))
        >>> free(None, torch.tensor([[0.0], [1.5]]))
        tensor([1.0000, 0.2500])

    Source: Hinton, Zemel 1993; Neal, Hinton 1998; LeCun et al. 2006, section 7.
    """

    def __init__(self, energy: Energy, infer: Inference, temperature: float = 0.0) -> None:
        super().__init__()
        require_non_negative("temperature", temperature)
        if not energy.takes_z:
            raise ConfigurationError(
                f"{type(energy).__name__} has no z to infer (takes_z is False)"
            )
        self.energy = energy
        self.infer = infer
        self.temperature = temperature
        self.x_ndim, self.y_ndim = energy.x_ndim, energy.y_ndim
        self.takes_x = energy.takes_x or infer.takes_x
        self.stochastic = energy.stochastic or (infer.stochastic and temperature > 0)
        self.couples = energy.couples or infer.couples

    @property
    def bound(self) -> Bound:
        """What the value is: exact, an upper or lower bound, or right in its gradient only."""
        return self.infer.bound

    def forward(
        self, x: Tree, y: Tree, z: Tensor | None = None, rng: torch.Generator | None = None
    ) -> Tensor:
        """F(x, y), shape (*batch)."""
        q = self.posterior(x, y, rng=rng)
        energies = self.energy(x, y, q.atoms, rng=rng) if q.energies is None else q.energies
        counted = energies.masked_fill(q.weights == 0, 0.0)
        return (q.weights * counted).sum(0) + self.temperature * q.information

    def posterior(self, x: Tree, y: Tree, *, rng: torch.Generator | None = None) -> Posterior:
        """q(z | x, y), as weighted atoms."""
        return self.infer(self.energy, x, y, self.temperature, rng=rng)

    def encode(self, y: Tree) -> Tensor:
        """What stands for y, as the inference finds it at temperature 0."""
        if self.energy.takes_x:
            raise ConfigurationError(
                f"z of {type(self.energy).__name__} depends on x too: take posterior(x, y).atoms, "
                "or pass Method(…, encoder=f)"
            )
        return self.infer.encode(self.energy, y)

    def embed(self, x: Tree, y: Tree) -> tuple[Energy, Tree, Tree]:
        """Embed what is below; z is then inferred from codes."""
        head, hx, hy = self.energy.embed(x, y)
        if head is self.energy:
            return self, hx, hy
        return FreeEnergy(head, self.infer, self.temperature), hx, hy

    def update(self, x: Tree, y: Tree) -> None:
        """Update energy and inference; where one of them refits, infer z for that before."""
        self.energy.update(x, y)
        if self.energy.refits or self.infer.refits:
            with torch.no_grad():
                q = self.posterior(x, y)
                self.energy.refit(x, y, q)
                self.infer.refit(x, y, q)
        self.infer.update(x, y)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"temperature={self.temperature}, bound={self.bound}"
