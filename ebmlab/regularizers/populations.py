"""Populations of codes: those of all ranks, in float32 or better, checked, centered."""

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor

from ebmlab._checks import require_same_kind
from ebmlab._kinds import require_real
from ebmlab._precise import precise
from ebmlab._ranks import gathered, rank_count
from ebmlab.errors import ShapeError
from ebmlab.protocols import Regularizer

__all__ = ["Population", "centered", "everyone", "require_population", "require_sides"]


class Population(Regularizer):
    """A penalty of each population on its own: R(hx, hy) = ½ (penalty(hx) + penalty(hy)).

    Of many views it is taken once per view, not once per pair of views.
    """

    @abstractmethod
    def penalty(self, h: Tensor) -> Tensor:
        """A scalar of one population (batch, dim) in float32 or better, without autocast."""

    @final
    def of(self, h: Tensor) -> Tensor:
        """The penalty of one population (batch, dim) of any precision."""
        with torch.autocast(h.device.type, enabled=False):
            return self.penalty(precise(h))

    @final
    def __call__(self, hx: Tensor, hy: Tensor, *, groups: Tensor | None = None) -> Tensor:
        """The mean penalty of two populations (batch, dim), a scalar."""
        require_sides(hx, hy)
        return self.of(hx) if hx is hy else 0.5 * (self.of(hx) + self.of(hy))


def require_sides(hx: Tensor, hy: Tensor) -> None:
    """Raise unless two populations of codes are of one shape and one kind: row i of one thing."""
    require_real(hx=hx, hy=hy)
    require_same_kind({"hx": hx, "hy": hy})
    if hx.shape != hy.shape:
        raise ShapeError(
            f"hx has shape {tuple(hx.shape)}, hy {tuple(hy.shape)}; row i of both is of "
            "one thing: as many codes of as many dimensions on both sides"
        )


def require_population(h: Tensor) -> None:
    """Raise unless codes are (b, d) and all ranks together hold at least two."""
    if h.ndim != 2 or len(h) * rank_count() < 2 or h.shape[1] == 0:
        raise ShapeError(
            f"codes have shape {tuple(h.shape)}; a variance needs (b, d) with b >= 2, so take "
            "larger batches (or drop_last)"
        )


def everyone(h: Tensor) -> Tensor:
    """The codes of all ranks (ranks · b, d); raises where they are no population."""
    require_population(h)
    return gathered("codes", h)


def centered(h: Tensor) -> Tensor:
    """The codes of all ranks minus their mean, in float32 or better; raises where b < 2."""
    h = everyone(precise(h))
    return h - h.mean(0)
