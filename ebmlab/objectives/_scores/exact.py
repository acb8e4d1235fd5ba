"""Match the slope of the energy to that of the data, by the exact trace of the Hessian."""

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._rows import row_sums
from ebmlab.energy import Energy
from ebmlab.objectives._scores.curvature import Curved
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["ExactScore"]


class ExactScore(Objective):
    """Score matching: mean ½ ‖∇E‖² - ΔE on the data, ΔE = Σ ∂²E / ∂y_i².

    It is ½ E ‖∇E + ∇ log p‖² up to a constant that only the data know, by partial integration.
    ΔE takes a backward pass for each entry of y: `SlicedScore` estimates it by one.

    Slopes say nothing of how much weight separated modes have; see `MultiScaleScore`. Networks of
    ReLU have no curvature, and become flat: use smooth activations.

    Metrics: `e_pos`, `batch_norm`.

    Raises:
        GradientError: the energy does not depend on y, or is linear in it.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> ExactScore()(energy, None, torch.ones(8, 2)).value.detach()
        tensor(-1.)

    Source: Hyvärinen 2005, "Estimation of non-normalized statistical models by score matching".
    """

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds third derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        curved = Curved(energy, x, y, rng)
        value = (0.5 * row_sums(precise(curved.slope).square()) - _trace(curved)).mean()
        return Loss(value, {"exact_score": value.detach()}, curved.metrics)


def _trace(curved: Curved) -> Tensor:
    """ΔE (b,), a pass for each entry of y."""
    event = curved.y.shape[1:]
    ways = torch.eye(event.numel(), dtype=curved.y.dtype, device=curved.y.device)
    each = [row_sums(precise(curved.along(way) * way)) for way in ways.reshape(-1, *event)]
    return torch.stack(each).sum(0)
