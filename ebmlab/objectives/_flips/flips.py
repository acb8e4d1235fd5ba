"""What objectives on single changes of a discrete y share: a cost of E(y) - E(y')."""

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._kinds import require_floats
from ebmlab._rows import row_sums
from ebmlab.energy import Energy
from ebmlab.negatives.coupling import batch_norm
from ebmlab.objectives._flips.falls import falls
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers.discrete import BINARY, StateSpace
from ebmlab.types import Rng, Tree

__all__ = ["Flips"]


class Flips(Objective):
    """mean over data of Σ_i cost(E(y) - E(y')), y' running over the other values of site i of y.

    log Z drops out of E(y) - E(y'). A subclass writes `cost`; it is consistent where the cost of
    a pair, p(y) cost(E(y) - E(y')) + p(y') cost(E(y') - E(y)), is least at the log ratio of p.

    Metrics: `lower`, the share of all y' that lie lower than the datum that they are next to, and
    `batch_norm` (1 where it couples data and neighbors).
    """

    shows = ("space",)
    term: ClassVar[str]

    def __init__(self, space: StateSpace = BINARY) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def cost(self, falls: Tensor) -> Tensor:
        """Of E(y) - E(y'), (b, *sites, m) for the m other values of each site: (b, *sites)."""

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; the energy is asked for all changes at once."""
        y = require_floats("y", require_tensor("y", y))
        self.space.require(y)
        coupled = batch_norm(energy, y, stacklevel=4)
        change = falls(energy, x, y, self.space, rng)
        value = row_sums(self.cost(change)).mean()
        lower = (change.detach() > 0).to(change).mean()
        return Loss(value, {self.term: value.detach()}, {"lower": lower, "batch_norm": coupled})
