"""Match slopes at all noise levels at once, and tie the levels to each other."""

import math

import torch
from torch import Tensor

from ebmlab._checks import (
    require_counts,
    require_generator,
    require_non_negative,
    require_positive,
    require_tensor,
)
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._ranks import rank_count, rank_number
from ebmlab._rows import row_sums, rows
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.objectives._sloped import sloped
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Rng, Tree

__all__ = ["MultiScaleScore"]


class MultiScaleScore(Objective):
    """Denoising at all σ in [low, high]: slopes in y, and in σ, of E(σ, y) = -log p_σ(y).

        ½ ‖σ ∇E(σ, ỹ) - ξ‖² + ¼ time (∂E/∂log σ + ‖ξ‖² - d)²,   ỹ = y + σξ,   ξ ~ N(0, 1),

    log σ = log low + u² log(high / low), u uniform: more draws where the data have their details.
    Each sum is d/2 for a flat energy at every level, so that all count alike.

    The energy takes σ as its x, vectors (b, 1), or [x, σ] (b, k + 1) where there is an x:
    `energy.given(torch.tensor([0.1]))` is the landscape at one level. Between separated modes a
    single level leaves their weights open. At a wide one the modes touch, and the slope in σ
    carries what they weigh there down to the narrow ones: the E of all levels are one landscape,
    of which only one constant is unknown.

    Args:
        low, high: the range of σ, in the units of y; `high` should bridge the modes.
        time: weight of the slope in σ; 0 leaves the levels apart but for the network's smoothness.
        draws: noisy copies of each datum, each at a level of its own.

    Terms: `slope`, `time`. Metrics: `e_noisy`, `batch_norm`.

    Raises:
        GradientError: the energy does not depend on y.
        ShapeError: x is not a tensor of vectors (b, k).

    Example:
        >>> from ebmlab.energies import MLP
        >>> y = torch.zeros(8, 2)
        >>> sorted(MultiScaleScore()(MLP(2, x_dim=1), None, y, torch.Generator()).terms)
        ['slope', 'time']

    Source: Song, Ermon 2019, arXiv:1907.05600; the slope in σ: Guth, Kadkhodaie, Simoncelli 2025,
    arXiv:2506.05310.
    """

    shows = ("low", "high", "time", "draws")

    def __init__(
        self, low: float = 0.07, high: float = 0.7, time: float = 1.0, draws: int = 2
    ) -> None:
        super().__init__()
        require_counts(draws=draws)
        require_positive("low", low)
        require_non_negative("time", time)
        if not low < high < math.inf:
            raise ConfigurationError(f"low is {low}, high {high}; noise levels grow: low < high")
        self.low, self.high, self.time, self.draws = low, high, time, draws

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds second derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "MultiScaleScore", y.device)
        y = y.repeat(self.draws, *[1] * (y.ndim - 1))
        logs, noise = self._levels(y, rng), noise_like(y, rng)
        sigma = logs.exp()
        start = torch.cat([logs, (y + rows(sigma, y) * noise).flatten(1)], dim=1)

        def of(free: Tensor) -> Tensor:
            level, noisy = free[:, :1].exp(), free[:, 1:].reshape(y.shape)
            return energy(_beside(x, level, self.draws), noisy, rng=rng)

        at = sloped(energy, of, start.detach())
        grad, noise = precise(at.grad), precise(noise.flatten(1))
        in_y = 0.5 * row_sums((sigma * grad[:, 1:] - noise).square()).mean()
        excess = row_sums(noise.square()) - noise.shape[1]
        in_sigma = 0.25 * self.time * (grad[:, 0] + excess).square().mean()
        terms = {"slope": in_y.detach(), "time": in_sigma.detach()}
        metrics = {"e_noisy": at.energies.detach().mean(), "batch_norm": at.coupled}
        return Loss(in_y + in_sigma, terms, metrics)

    def _levels(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """log σ (n, 1), spread over the range: one u in each part, as many as all ranks' rows."""
        share = torch.rand(len(y), 1, generator=rng, dtype=y.dtype, device=y.device)
        part = torch.arange(len(y), device=y.device)[:, None]
        # Copy by copy, the rows of this rank among those of all.
        rows, ranks = len(y) // self.draws, rank_count()
        part = part + rows * (part // rows * (ranks - 1) + rank_number())
        along = ((part + share) / (len(y) * ranks)).square()
        return math.log(self.low) + math.log(self.high / self.low) * along


def _beside(x: Tree, sigma: Tensor, copies: int) -> Tensor:
    """σ, or [x, σ], each x as often as there are copies of y."""
    if x is None:
        return sigma
    x = require_tensor("x", x)
    if x.ndim != 2:
        raise ShapeError(
            f"x has shape {tuple(x.shape)}; σ is joined to vectors (b, k): flatten or embed x"
        )
    return torch.cat([x.repeat(copies, 1), sigma], dim=1)
