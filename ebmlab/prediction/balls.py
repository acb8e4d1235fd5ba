"""The volume of a union of balls, in any dimension."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import one_number, require_counts, require_generator, require_positive
from ebmlab._kinds import require_real
from ebmlab.errors import NonFiniteError, ShapeError

__all__ = ["LogVolume", "balls_volume"]


class LogVolume(NamedTuple):
    """Logs of volumes and their standard errors, (*batch), in float64."""

    log_volume: Tensor
    standard_error: Tensor


@torch.no_grad()
def balls_volume(
    centers: Tensor, radius: float | Tensor, rng: torch.Generator, *, draws: int = 32
) -> LogVolume:
    """log |{y : min_k ‖y - g_k‖ <= r}|, a union of k balls of d dimensions.

    The balls' volumes, k v, count a point y as often as it lies in a ball, m(y) times. So the
    union is k v E[1 / m(y)] over y uniform in a ball that is chosen uniformly: exact in
    expectation, and without error for disjoint balls (m = 1) and for equal ones (m = k). Each
    ball gets as many draws.

    Args:
        centers: g, (k, *batch, d).
        radius: r > 0, finite, one for all.
        rng: a generator on their device.
        draws: in each ball, at least 2.

    Raises:
        ShapeError: centers are not (k, *batch, d), or there is more than one radius.
        NonFiniteError: a center is NaN or infinite.
        ConfigurationError: radius <= 0, or draws < 2.

    Example:
        >>> apart = torch.tensor([[0.0, 0.0], [9.0, 0.0]])
        >>> found = balls_volume(apart, 1.0, torch.Generator().manual_seed(0))
        >>> round(float(found.log_volume.exp() / torch.pi), 4), float(found.standard_error)
        (2.0, 0.0)

    Source: Karp, Luby 1983.
    """
    require_real(centers=centers)
    if centers.ndim < 2 or 0 in centers.shape:
        raise ShapeError(f"centers has shape {tuple(centers.shape)}; it must be (k, *batch, d)")
    if not bool(centers.isfinite().all()):
        raise NonFiniteError(f"centers {tuple(centers.shape)} hold NaN or infinity")
    radius = one_number("radius", radius)
    require_positive("radius", float(radius))
    require_counts(2, draws=draws)
    require_generator(rng, "balls_volume", centers.device)
    k, d = len(centers), centers.shape[-1]
    g = centers.movedim(0, -2)
    shares = torch.stack([_shares(g, i, float(radius), draws, rng) for i in range(k)], dim=-1)
    mean = shares.mean((-2, -1))
    error = (shares.var(-2).sum(-1) / draws).sqrt() / k
    ball = d * radius.log() + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1)
    return LogVolume(math.log(k) + ball.to(mean.device) + mean.log(), error / mean)


def _shares(g: Tensor, i: int, radius: float, draws: int, rng: torch.Generator) -> Tensor:
    """1 / m (*batch, draws) at points of the i-th ball of g (*batch, k, d)."""
    *batch, _, d = g.shape
    how = {"generator": rng, "dtype": g.dtype, "device": g.device}
    step = torch.randn(*batch, draws, d, **how)
    length = radius * torch.rand(*batch, draws, 1, **how) ** (1 / d)
    step = step * (length / torch.linalg.vector_norm(step, dim=-1, keepdim=True))
    near = torch.cdist(step, g - g[..., i : i + 1, :]) <= radius
    # The own ball holds its points, whatever rounding says.
    near[..., i] = True
    return 1 / near.sum(-1).double()
