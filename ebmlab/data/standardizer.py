"""`Standardizer`: mean 0 and standard deviation 1 in every coordinate, and back."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from ebmlab.errors import DtypeError, ShapeError

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
        """Statistics of t (n, *event) over its n rows, in float32 or better.

        Raises:
            ShapeError: fewer than two rows.
            DtypeError: t is not floating point.
        """
        if t.ndim == 0 or len(t) < 2:
            raise ShapeError(
                f"t has shape {tuple(t.shape)}; a standard deviation needs (n, *event) with n >= 2"
            )
        if not t.is_floating_point():
            raise DtypeError(f"t has dtype {t.dtype}; convert it with .float()")
        t = t.detach().to(torch.promote_types(t.dtype, torch.float32))
        mean = t.mean(0)
        # The mean of equal numbers may be off by a rounding, which must not count as variation.
        constant = t.amax(0) == t.amin(0)
        std = (t - mean).square().mean(0).sqrt()
        return cls(torch.where(constant, t[0], mean), torch.where(constant, 1.0, std))

    def apply(self, t: Tensor) -> Tensor:
        """(t - mean) / std of t (*batch, *event)."""
        return (t - self.mean) / self.std

    def undo(self, t: Tensor) -> Tensor:
        """t * std + mean: the inverse of `apply`."""
        return t * self.std + self.mean
