"""One landscape without noise levels, whose slopes lead from noise to the data and end there."""

import torch

from ebmlab._checks import require_generator, require_positive, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._rows import row_sums, rows
from ebmlab.energy import Energy
from ebmlab.objectives._scores.decay import falling, require_decay
from ebmlab.objectives._sloped import sloped
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Rng, Tree

__all__ = ["EquilibriumMatching"]


class EquilibriumMatching(Objective):
    """mean ½ ‖∇E(y_t) - c(t) (y0 - y)‖², y_t = (1 - t) y0 + t y, y0 ~ N(0, 1), t uniform.

    c(t) = λ min(1, (1 - t) / (1 - a)) vanishes at the data, where the slopes therefore end. E
    knows no t: descent from noise finds the data. E is -log p of nothing, at no temperature: its
    slopes mix those of all noise levels with the ways from noise, even at the data.

    Args:
        strength: λ > 0.
        decay: a in [0, 1), from where on c falls.

    Metrics: `e_noisy`, `batch_norm`.

    Raises:
        GradientError: the energy does not depend on y.

    Example:
        >>> from ebmlab.energies import MLP
        >>> y = torch.zeros(8, 2)
        >>> EquilibriumMatching()(MLP(2), None, y, torch.Generator()).value > 0
        tensor(True)

    Source: Wang, Du 2025, arXiv:2510.02300.
    """

    shows = ("strength", "decay")

    def __init__(self, strength: float = 4.0, decay: float = 0.8) -> None:
        super().__init__()
        require_positive("strength", strength)
        require_decay(decay)
        self.strength, self.decay = strength, decay

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds second derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "EquilibriumMatching", y.device)
        y0 = noise_like(y, rng)
        t = torch.rand(len(y), generator=rng, dtype=y.dtype, device=y.device)
        between = torch.lerp(y0, y, rows(t, y)).detach()
        at = sloped(energy, lambda free: energy(x, free, rng=rng), between)
        c = self.strength * falling(t, self.decay)
        value = 0.5 * row_sums(precise(at.grad - rows(c, y) * (y0 - y)).square()).mean()
        metrics = {"e_noisy": at.energies.detach().mean(), "batch_norm": at.coupled}
        return Loss(value, {"equilibrium_matching": value.detach()}, metrics)
