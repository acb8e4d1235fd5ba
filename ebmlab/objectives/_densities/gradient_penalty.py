"""Hold the slope of the energy."""

from ebmlab._checks import require_generator, require_non_negative, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._rows import row_sums
from ebmlab.energy import Energy
from ebmlab.objectives._sloped import sloped
from ebmlab.perturbations import Corruption
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["GradientPenalty"]


class GradientPenalty(Objective):
    """mean (‖∂E/∂y‖ - target)², at the data or elsewhere: `objective + 0.1 * GradientPenalty()`.

    Target 0 makes the energy flat where it is taken (R1 at data), target 1 a distance (WGAN-GP
    between data and noise).

    Args:
        target: the length that the slope should have, >= 0, in the units of E over those of y.
        where: None at y itself; `Gaussian(σ²)` around it; `Between(density)` on the way from
            it to noise; or any (y, rng) -> y.

    Terms: `gradient_penalty`. Metrics: `slope`, the mean of ‖∂E/∂y‖, and `batch_norm`.

    Raises:
        GradientError: the energy does not depend on y.
        ConfigurationError: target < 0, or rng is missing where `where` draws.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Gaussian
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> GradientPenalty()(energy, None, torch.tensor([[3.0, 4.0]])).value.detach()
        tensor(25.)

    Source: Gulrajani et al. 2017, arXiv:1704.00028; Mescheder, Geiger, Nowozin 2018,
    arXiv:1801.04406 (R1).
    """

    shows = ("target", "where")

    def __init__(self, target: float = 0.0, where: Corruption | None = None) -> None:
        super().__init__()
        require_non_negative("target", target)
        self.target, self.where = target, where

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The penalty; its graph holds the second derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y)).detach()
        if self.where is not None:
            y = self.where(y, require_generator(rng, "GradientPenalty", y.device))
        at = sloped(energy, lambda free: energy(x, free, rng=rng), y)
        squares = row_sums(precise(at.grad).square())
        # The root has no slope at 0, where the length has none either.
        flat = squares == 0
        length = squares.masked_fill(flat, 1.0).sqrt().masked_fill(flat, 0.0)
        value = (length - self.target).square().mean() if self.target else squares.mean()
        metrics = {"slope": length.detach().mean(), "batch_norm": at.coupled}
        return Loss(value, {"gradient_penalty": value.detach()}, metrics)
