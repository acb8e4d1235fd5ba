"""Train the energy of y alone, whatever comes with it."""

from ebmlab.energy import Energy
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["Unconditional"]


class Unconditional(Objective):
    """An objective that is handed x = None: it shapes E(None, y), labels or views left out.

    For an energy that sums x out where x is None, p(y | x) and p(y) are then trained at once:
    `objective + Unconditional(other)`.

    Args:
        objective: what shapes the energy of y.

    Example:
        >>> import torch
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.objectives import DenoisingScore
        >>> labels, y, rng = torch.arange(4), torch.zeros(4, 2), torch.Generator()
        >>> sorted(Unconditional(DenoisingScore(0.1))(MLP(2), None, y, rng).terms)
        ['denoising_score']

    Source: Grathwohl et al. 2020, arXiv:1912.03263.
    """

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The objective's loss without x."""
        return self.objective.forward(energy, None, y, rng)
