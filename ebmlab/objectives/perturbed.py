"""Train on perturbed data, whatever the objective."""

from ebmlab._checks import require_generator, require_tensor
from ebmlab._kinds import require_floats
from ebmlab.energy import Energy
from ebmlab.perturbations import Corruption
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["Perturbed"]


class Perturbed(Objective):
    """An objective that is handed perturbed y: it shapes the energy of what noise makes of data.

    `Perturbed(LabelLikelihood(), Gaussian(σ²))` is the likelihood of labels given y + σξ, the
    partner of `DenoisingScore(σ)`, whose p(y) is that of y + σξ too.

    Args:
        objective: what shapes the energy.
        corruption: of `ebmlab.perturbations`, or any (y, rng) -> y.

    Example:
        >>> import torch
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.objectives import GradientPenalty
        >>> from ebmlab.perturbations import Gaussian
        >>> objective = Perturbed(GradientPenalty(), Gaussian(0.01))
        >>> sorted(objective(MLP(2), None, torch.zeros(4, 2), torch.Generator()).terms)
        ['gradient_penalty']

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """

    shows = ("corruption",)

    def __init__(self, objective: Objective, corruption: Corruption) -> None:
        super().__init__()
        self.objective, self.corruption = objective, corruption

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The objective's loss at perturbed y."""
        y = require_floats("y", require_tensor("y", y))
        moved = self.corruption(y, require_generator(rng, "Perturbed", y.device))
        return self.objective.forward(energy, x, moved, rng)
