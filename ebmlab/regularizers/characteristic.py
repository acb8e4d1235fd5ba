"""Empirical characteristic functions at evenly spaced t, without keeping every angle."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["characteristic_sums"]


def characteristic_sums(s: Tensor, step: float, points: int) -> Tensor:
    """Σ_n cos(k step s_n) and Σ_n sin(k step s_n) for k = 0 … points - 1.

    One cosine and one sine are taken of each s; the others follow by rotation, again in backward,
    so that memory does not grow with the number of points. First derivatives only.

    Args:
        s: (n, m), m variables of n draws each.
        step: between two t.
        points: how many t, from 0 on.

    Returns:
        (points, 2, m).

    Example:
        >>> characteristic_sums(torch.zeros(5, 1), 0.5, points=3)[:, 0, 0]
        tensor([5., 5., 5.])
    """
    return _Sums.apply(s, step, points)


def _turns(s: Tensor, step: float, points: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(cos, sin) of k step s for k = 1 … points - 1."""
    cosine, sine = (step * s).cos(), (step * s).sin()
    c, z = cosine, sine
    yield c, z
    for _ in range(points - 2):
        c, z = (c * cosine).addcmul_(z, sine, value=-1), (z * cosine).addcmul_(c, sine)
        yield c, z


class _Sums(torch.autograd.Function):
    """The sums, whose summands are computed again for the gradient."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, step: float, points: int) -> Tensor:
        ctx.save_for_backward(s)
        ctx.step, ctx.points = step, points
        first = torch.stack([torch.full_like(s[0], len(s)), torch.zeros_like(s[0])])
        turned = (torch.stack([c.sum(0), z.sum(0)]) for c, z in _turns(s, step, points))
        return torch.stack([first, *turned])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (s,), (grad,) = ctx.saved_tensors, grads
        slope = torch.zeros_like(s)
        for k, (c, z) in enumerate(_turns(s, ctx.step, ctx.points), start=1):
            along = k * ctx.step * grad[k]
            slope.addcmul_(z, along[0], value=-1).addcmul_(c, along[1])
        return slope, None, None
