"""Match the slope of the energy to that of the data, along random directions."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._rows import row_sums
from ebmlab.energy import Energy
from ebmlab.objectives._scores.curvature import Curved
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["SlicedScore"]


class SlicedScore(Objective):
    """Sliced score matching: mean ½ ‖∇E‖² - vᵀ ∇²E v, v random signs: `ExactScore` on average.

    One more backward pass for each probe, however long y is. ‖∇E‖² is taken as it is and not
    along v, which has the same mean and more variance.

    Args:
        probes: how many v per datum.

    Metrics: `e_pos`, `batch_norm`.

    Raises:
        GradientError: the energy does not depend on y, or is linear in it.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> SlicedScore()(energy, None, torch.ones(8, 2), torch.Generator()).value.detach()
        tensor(-1.)

    Source: Song, Garg, Shi, Ermon 2019, arXiv:1905.07088; Hutchinson 1990.
    """

    shows = ("probes",)

    def __init__(self, probes: int = 1) -> None:
        super().__init__()
        require_counts(probes=probes)
        self.probes = probes

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds third derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "SlicedScore", y.device)
        curved = Curved(energy, x, y, rng)
        value = (0.5 * row_sums(precise(curved.slope).square()) - self._trace(curved, rng)).mean()
        return Loss(value, {"sliced_score": value.detach()}, curved.metrics)

    def _trace(self, curved: Curved, rng: torch.Generator) -> Tensor:
        """The estimate of ΔE (b,)."""
        shape, kind = (self.probes, *curved.y.shape), curved.y.dtype
        signs = torch.randint(2, shape, generator=rng, device=curved.y.device)
        ways = (2 * signs - 1).to(kind)
        return torch.stack([row_sums(precise(curved.along(v) * v)) for v in ways]).mean(0)
