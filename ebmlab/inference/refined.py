"""An encoder that guesses z, and a solver that goes on from there."""

import torch
from torch import nn

from ebmlab.energy import Energy
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._encoding import encoded
from ebmlab.inference._solvers.point import PointInference
from ebmlab.types import Rng, Tree

__all__ = ["Refined"]


class Refined(Inference):
    """z by a solver that starts, for each datum, at the encoder's guess.

    The z found is a constant of the free energy, an upper bound of the minimum: the better the
    guess, the fewer the steps, and on a non-convex energy the lower the minimum. No gradient
    reaches the encoder through z. It learns where the energy itself compares z with the encoder's
    prediction, as in predictive sparse decomposition, or by a loss of its own.

    Args:
        encoder: maps (x, y), or y alone where there is no x, to z (n, *event) or to the pair
            (mean, log_std), whose mean is the guess.
        infer: the solver: `Descent`, `LBFGS`, `Proximal`, …; its own starts are not used.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> from ebmlab.inference import LBFGS
        >>> energy = Reconstruction(nn.Linear(1, 2), takes_x=False)
        >>> q = Refined(nn.Linear(2, 1), LBFGS())(energy, None, torch.ones(3, 2))
        >>> q.atoms.shape, q.residual.max() < 1e-2
        (torch.Size([1, 3, 1]), tensor(True))

    Source: Kavukcuoglu, Ranzato, LeCun 2010, arXiv:1010.3467; Kim et al. 2018, arXiv:1802.02550.
    """

    point = True

    def __init__(self, encoder: nn.Module, infer: PointInference) -> None:
        super().__init__()
        self.encoder, self.infer = encoder, infer

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The z that the solver reaches from the encoder's guess, and its residual."""
        with torch.no_grad():
            guess, _ = encoded(self.encoder, energy, x, y)
        return self.infer.infer_from(guess[None], energy, x, y, rng=rng)
