"""Straight ways from noise to the data far from them, a density near them: one energy for both."""

import torch
from torch import Tensor

from ebmlab._checks import (
    require_generator,
    require_non_negative,
    require_positive,
    require_tensor,
)
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._ranks import gathered, rank_number
from ebmlab._rows import row_sums, rows
from ebmlab.energy import Energy
from ebmlab.objectives._scores.decay import falling, require_decay
from ebmlab.objectives._sloped import sloped
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Rng, Tree

__all__ = ["EnergyMatching"]


class EnergyMatching(Objective):
    """flow · mean w(t) ½ ‖∇E(y_t) - (y0 - y)‖² + near(E / T), y_t = (1 - t) y0 + t y.

    y0 ~ N(0, 1) is paired with the data of the batch so that Σ ‖y0 - y‖² is least. w(t) is 1 up
    to t = a and falls to 0 at the data, where `near` makes exp(-E / T) their density.

    Args:
        near: an objective that shapes a density; the paper's is contrastive divergence,
            `Contrastive(losses.difference, FromData(Langevin(…), steps=200))`.
        temperature: T > 0.
        flow: weight of the flow, small: where its ways cross the data, it bends their density.
        decay: a in [0, 1), from where on the flow counts less.

    Terms: `flow`, and those of `near`. Metrics: `batch_norm`, and those of `near`.

    Raises:
        GradientError: the energy does not depend on y.

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.objectives import DenoisingScore
        >>> objective = EnergyMatching(DenoisingScore(0.1), temperature=0.5)
        >>> sorted(objective(MLP(2), None, torch.zeros(8, 2), torch.Generator()).terms)
        ['denoising_score', 'flow']

    Source: Balcerak et al. 2025, arXiv:2504.10612.
    """

    shows = ("temperature", "flow", "decay")

    def __init__(
        self, near: Objective, temperature: float = 0.1, flow: float = 0.01, decay: float = 0.8
    ) -> None:
        super().__init__()
        require_positive("temperature", temperature)
        require_non_negative("flow", flow)
        require_decay(decay)
        self.near = near
        self.temperature, self.flow, self.decay = temperature, flow, decay

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds second derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "EnergyMatching", y.device)
        y0 = _paired(noise_like(y, rng), y)
        t = torch.rand(len(y), generator=rng, dtype=y.dtype, device=y.device)
        between = torch.lerp(y0, y, rows(t, y)).detach()
        at = sloped(energy, lambda free: energy(x, free, rng=rng), between)
        errors = row_sums(precise(at.grad - (y0 - y)).square())
        flow = 0.5 * self.flow * (falling(t, self.decay) * errors).mean()
        near = self.near.forward(energy / self.temperature, x, y, rng)
        terms = {"flow": flow.detach(), **near.terms}
        metrics = {**near.metrics, "batch_norm": at.coupled}
        return Loss(flow + near.value, terms, metrics, near.commit)


def _paired(y0: Tensor, y: Tensor) -> Tensor:
    """The y0 of all ranks in the order in which Σ ‖y0 - y‖² is least, those of the own y."""
    # Loading scipy takes longer than all the rest of the library.
    from scipy.optimize import linear_sum_assignment

    first = rank_number() * len(y)
    y0, every = gathered("noise", y0), gathered("y", y.detach())
    cost = torch.cdist(precise(every).flatten(1), precise(y0).flatten(1)).square()
    _, order = linear_sum_assignment(cost.cpu().numpy())
    return y0[torch.as_tensor(order[first : first + len(y)], device=y0.device)]
