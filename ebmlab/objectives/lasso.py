"""A price on parameters of the energy, such as couplings, that keeps few of them."""

from ebmlab._checks import require_non_negative
from ebmlab._precise import precise
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["Lasso"]


class Lasso(Objective):
    """λ Σ |θ_j| over one parameter θ of the energy; added to another objective.

    Steps along its gradient bring entries near 0 and past it, not to 0: exact zeros take a
    proximal step as long as the optimizer's, which is `training.ProximalGradient`. Use one or the
    other.

    Args:
        weight: λ >= 0.
        parameter: the name of θ among the energy's parameters.

    Raises:
        ConfigurationError: the energy has no such parameter.

    Terms: `lasso`. Metric: `zeros`, the share of entries that are exactly 0.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Pairwise
        >>> from ebmlab.objectives import PseudoLikelihood
        >>> objective = PseudoLikelihood() + Lasso(0.1)
        >>> objective(Pairwise(4), None, torch.eye(4)).metrics["zeros"]
        tensor(1.)

    Source: Tibshirani 1996; Ravikumar, Wainwright, Lafferty 2010 (couplings of Ising models).
    """

    shows = ("weight", "parameter")

    def __init__(self, weight: float, parameter: str = "couplings") -> None:
        super().__init__()
        require_non_negative("weight", weight)
        self.weight, self.parameter = weight, parameter

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The price; data do not enter."""
        named = dict(energy.named_parameters())
        if self.parameter not in named:
            known = ", ".join(named) or "none"
            raise ConfigurationError(
                f"{type(energy).__name__} has no parameter {self.parameter!r}; it has {known}"
            )
        theta = precise(named[self.parameter])
        value = self.weight * theta.abs().sum()
        zeros = (theta.detach() == 0).to(theta).mean()
        return Loss(value, {"lasso": value.detach()}, {"zeros": zeros})
