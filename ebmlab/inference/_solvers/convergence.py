"""What residuals are compared with: nothing that an offset or a unit of u or of z moves."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from ebmlab._rows import norms

__all__ = ["Progress", "ratio", "rounding"]


class Progress(NamedTuple):
    """Where rows began (rows, d), the largest residual and |u| since then, and the curvature.

    The curvature (rows,) is the change of the slope by the length of the step over which it was
    seen, the largest of late.
    """

    start: Tensor
    largest: Tensor
    level: Tensor
    curvature: Tensor

    @classmethod
    def begin(cls, z: Tensor, residual: Tensor, energy: Tensor) -> Self:
        """At z (rows, *event), where no curvature has been seen."""
        z, residual, energy = z.detach(), residual.detach(), energy.detach()
        return cls(z, residual, energy.abs(), torch.zeros_like(residual))

    def seen(self, step: Tensor, change: Tensor) -> Self:
        """After a trial: how the slope changed over a step, both (rows, *event)."""
        secant = ratio(norms(change.detach()), norms(step.detach()))
        larger = torch.maximum(secant, 0.5 * self.curvature)
        return self._replace(curvature=torch.where(secant > 0, larger, self.curvature))

    def at(self, residual: Tensor, energy: Tensor) -> Self:
        """After rows have moved to where these are their residuals and energies."""
        largest = torch.maximum(self.largest, residual.detach())
        return self._replace(
            largest=largest, level=torch.maximum(self.level, energy.detach().abs())
        )

    def scale(self, z: Tensor, curvature: Tensor) -> Tensor:
        """The largest residual, or the curvature times the way from the start if that is less.

        Far away the slope may be far steeper than it ever is near the minimum.
        """
        return torch.minimum(self.largest, curvature * norms(z.detach() - self.start))

    def rounding(self, z: Tensor) -> Tensor:
        """That of the residual; the curvature seen is not the largest of all directions."""
        return rounding(2 * self.curvature, 2 * self.level, z)

    def drowned(self, residual: Tensor, z: Tensor) -> Tensor:
        """Where a search has ended in rounding; at a kink the residual does not even fall."""
        return residual <= torch.minimum(self.rounding(z), 0.1 * self.largest)


def ratio(size: Tensor, length: Tensor) -> Tensor:
    """Size / length, and 0 where that is not finite: of a length of 0, or of NaN."""
    share = size / length
    return torch.where(share.isfinite(), share, 0.0)


def rounding(curvature: Tensor, level: Tensor, z: Tensor) -> Tensor:
    """How far rounding alone moves a residual, (rows,): that of z, and that of squares summed.

    A sum of squares of size |u| and of curvature L has slopes up to the root of 2 L |u|.
    """
    steep = (2 * curvature * level).sqrt() + curvature * norms(z.detach())
    return 2 * torch.finfo(steep.dtype).eps * steep
