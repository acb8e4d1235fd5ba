"""`Standardizer`: mean 0 and standard deviation 1 in every coordinate, and back."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from ebmlab._kinds import require_floats
from ebmlab._precise import precise, scale_of
from ebmlab.errors import NonFiniteError, ShapeError

__all__ = ["Standardizer"]


class Standardizer(NamedTuple):
    """t -> (t - mean) / std with the statistics of the data it was fitted on.

    A density of standardized data is that of the data times the product of `std`: log p(t) =
    log p(apply(t)) - Σ log std.

    Attributes:
        mean: (*event).
        std: (*event), the standard deviation over the data (divided by n); 1 where the data are
            constant, which are then only centered.

    Example:
        >>> scale = Standardizer.fit(torch.tensor([[0.0], [4.0]]))
        >>> scale.apply(torch.tensor([[0.0], [2.0]]))
        tensor([[-1.],
                [ 0.]])
        >>> scale.undo(torch.tensor([[1.0]]))
        tensor([[4.]])
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, t: Tensor) -> Self:
        """Statistics of t (n, *event) of any scale over its n rows, in float32 or better.

        Raises:
            ShapeError: fewer than two rows.
            DtypeError: t is not floating point.
            NonFiniteError: t holds NaN or infinity.
        """
        if t.ndim == 0 or len(t) < 2:
            raise ShapeError(
                f"t has shape {tuple(t.shape)}; a standard deviation needs (n, *event) with n >= 2"
            )
        t = precise(require_floats("t", t).detach())
        low, high = t.amin(0), t.amax(0)
        if not bool((low.isfinite() & high.isfinite()).all()):
            raise NonFiniteError(f"t {tuple(t.shape)} holds NaN or infinity; leave it out")
        scale = scale_of(torch.maximum(-low, high))
        unit = t / scale
        mean = unit.mean(0)
        off = unit - mean
        width = scale_of(off.abs().amax(0))
        std = (off / width).square().mean(0).sqrt() * width * scale
        # The mean of equal numbers may be off by a rounding, which must not count as variation.
        constant = low == high
        return cls(torch.where(constant, low, mean * scale), torch.where(constant, 1.0, std))

    def apply(self, t: Tensor) -> Tensor:
        """(t - mean) / std of t (*batch, *event)."""
        return (t - self.mean) / self.std

    def undo(self, t: Tensor) -> Tensor:
        """t * std + mean: the inverse of `apply`."""
        return t * self.std + self.mean
