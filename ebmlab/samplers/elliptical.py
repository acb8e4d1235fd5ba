"""Elliptical slice sampling: for potentials with a Gaussian in them, and no gradient."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._randomness import fork
from ebmlab._rows import require_finite, row_sums, rows, select
from ebmlab.samplers._steps.start import noise_like, uniform_like
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.types import Potential

__all__ = ["EllipticalSlice", "SliceInfo", "SliceState"]

# An arc shrinks to rounding in some fifty rounds; a chain that has found nothing then stays.
ROUNDS = 200


class SliceState(NamedTuple):
    """Where a chain stands, y and as v with y = m + L v: energies are those of y."""

    y: Tensor
    energy: Tensor
    whitened: Tensor


class SliceInfo(NamedTuple):
    """Acceptance (always 1), points refused, and those of them that were not finite: (chains,)."""

    acceptance: Tensor
    shrinks: Tensor
    nonfinite: Tensor


@dataclass(frozen=True, eq=False)
class EllipticalSlice:
    """Slices along ellipses of a Gaussian N(m, L Lᵀ): leaves exp(-u) invariant, tunes nothing.

    u is the whole potential, as for every other sampler, and the Gaussian a part of it:
    u(y) = ½ ‖v‖² + ℓ(y) with v = L⁻¹ (y - m), which defines ℓ for any Gaussian; the closer the
    Gaussian is to exp(-u), the flatter is ℓ and the longer are the moves. A step draws an ellipse
    v cos θ + ν sin θ, ν ~ N(0, 1), and a level ℓ(y) - log s, s ~ U(0, 1), and shrinks an arc of
    angles towards θ = 0 until ℓ lies below the level. Each chain evaluates u 1 + `shrinks` times,
    and never its gradient; the batch waits for its slowest chain. NaN and +∞ are refused, counted.

    How many random numbers a step takes depends on where the chains stand: this is a `Sampler`,
    not a `Kernel`, and is not compiled.

    Args:
        prior: L, the factor of the Gaussian's covariance.
        mean: m, a number or a tensor (*event).

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1) + 2 * y.abs().sum(-1)
        >>> run(EllipticalSlice(), u, torch.zeros(500, 2), steps=20, rng=rng).state.y.std() < 0.6
        tensor(True)

    Source: Murray, Adams, MacKay 2010, arXiv:1001.0175.
    """

    prior: Metric = IDENTITY
    mean: float | Tensor = 0.0

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> SliceState:
        """Energies at the start, and the start in the Gaussian's own coordinates."""
        y = y.detach()
        energy = _energies(u, y)
        require_finite(y, energy, energy, "y: chain")
        return SliceState(y, energy, self.prior.whiten(y - self.mean))

    def step(
        self, u: Potential, state: SliceState, rng: torch.Generator
    ) -> tuple[SliceState, SliceInfo]:
        """One transition of every chain."""
        push = noise_like(state.y, rng)
        level = _rest(state) - torch.log1p(-uniform_like(state.energy, rng))
        angle = 2 * math.pi * uniform_like(state.energy, rng)
        # Rounds are as many as the slowest chain needs; a stream of their own keeps the others'
        # later random numbers where they are.
        rng = fork(rng)
        low, high = angle - 2 * math.pi, angle
        shrinks, nonfinite = torch.zeros_like(angle), torch.zeros_like(angle)
        moved, found = state, torch.zeros_like(angle, dtype=torch.bool)
        for _ in range(ROUNDS):
            point = self._turned(u, state.whitened, push, angle)
            rest = _rest(point)
            fits = rest <= level
            moved, found = select(fits & ~found, point, moved), found | fits
            if found.all():
                break
            shrinks = shrinks + ~found
            nonfinite = nonfinite + ~(found | rest.isfinite())
            low, high = torch.where(angle < 0, angle, low), torch.where(angle < 0, high, angle)
            angle = low + (high - low) * uniform_like(angle, rng)
        return moved, SliceInfo(torch.ones_like(angle), shrinks, nonfinite)

    def _turned(self, u: Potential, v: Tensor, push: Tensor, angle: Tensor) -> SliceState:
        """The point of the ellipse at an angle."""
        angle = rows(angle, v)
        whitened = v * angle.cos() + push * angle.sin()
        y = self.mean + self.prior.spread(whitened)
        return SliceState(y, _energies(u, y), whitened)


def _energies(u: Potential, y: Tensor) -> Tensor:
    with torch.no_grad():
        return u(y)


def _rest(state: SliceState) -> Tensor:
    """ℓ, the energy without the Gaussian's share: (chains,)."""
    return state.energy - 0.5 * row_sums(state.whitened.square())
