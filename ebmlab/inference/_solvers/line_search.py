"""A line search of many rows at once, each in its own bracket: one trial of all per call."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

__all__ = ["Bracket"]

DESCENT, CURVATURE = 1e-4, 0.9
EXPAND, MARGIN = 4.0, 0.1


class Bracket(NamedTuple):
    """Step lengths t along a line φ(t) = u(z + t d) that bracket a sufficient one; all (rows,).

    At `low` φ has fallen enough but its slope is still steep; at `high` φ has not fallen enough,
    or is not finite; in between some t fulfills both. `step` is what to try next.

    Source: Lewis, Overton 2013 (the bracket); Hager, Zhang 2005 (descent near rounding).
    """

    start_energy: Tensor
    start_slope: Tensor
    low: Tensor
    low_energy: Tensor
    low_slope: Tensor
    high: Tensor
    high_energy: Tensor
    high_slope: Tensor
    step: Tensor

    @classmethod
    def open(cls, energy: Tensor, slope: Tensor, step: Tensor) -> Self:
        """Nothing known but φ(0) and φ'(0) < 0."""
        zero, far = torch.zeros_like(energy), torch.full_like(energy, torch.inf)
        return cls(energy, slope, zero, energy, slope, far, far, far, step)

    def judge(self, energy: Tensor, slope: Tensor) -> tuple[Tensor, Self]:
        """Which rows may take `step`, given φ and φ' there; and the narrowed bracket.

        A step may be taken where φ(t) <= φ(0) + 10⁻⁴ t φ'(0) and φ'(t) >= 0.9 φ'(0) (Wolfe). Where
        rounding hides the fall of φ, its slope vouches for it.
        """
        finite = energy.isfinite() & slope.isfinite()
        enough_fall = self.start_energy + DESCENT * self.step * self.start_slope
        fallen = (energy <= enough_fall) & (energy < self.start_energy)
        # Energies are sums whose terms cancel: their noise is larger than ε of the sum.
        noise = torch.finfo(energy.dtype).eps ** (2 / 3) * self.start_energy.abs()
        level = energy <= self.start_energy + noise
        flat = level & (slope <= (2 * DESCENT - 1) * self.start_slope)
        enough = finite & (fallen | flat)
        gentle = slope >= CURVATURE * self.start_slope
        short = enough & ~gentle
        pick = torch.where
        narrowed = self._replace(
            low=pick(short, self.step, self.low),
            low_energy=pick(short, energy, self.low_energy),
            low_slope=pick(short, slope, self.low_slope),
            high=pick(enough, self.high, self.step),
            high_energy=pick(enough, self.high_energy, energy),
            high_slope=pick(enough, self.high_slope, slope),
        )
        return enough & gentle, narrowed._replace(step=narrowed._next())

    def closed(self) -> Tensor:
        """Rows whose bracket is too narrow to hold another number worth trying."""
        rounding = 4 * torch.finfo(self.low.dtype).eps * self.high
        return self.high.isfinite() & (self.high - self.low <= rounding)

    def _next(self) -> Tensor:
        """Further out while nothing stops the fall; else the cubic's minimum, or the middle."""
        width = self.high - self.low
        chord = (self.high_energy - self.low_energy) / width
        bend = self.low_slope + self.high_slope - 3 * chord
        root = (bend.square() - self.low_slope * self.high_slope).sqrt()
        share = (self.high_slope + root - bend) / (self.high_slope - self.low_slope + 2 * root)
        share = torch.where(share.isfinite(), share, 0.5).clamp(MARGIN, 1 - MARGIN)
        within = self.high - share * width
        return torch.where(self.high.isfinite(), within, EXPAND * self.step)
